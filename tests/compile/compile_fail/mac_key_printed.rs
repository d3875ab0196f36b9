use portcullis::mac::MacKey;

fn main() {
    println!("{:?}", MacKey::new(&[0; 32]));
}
