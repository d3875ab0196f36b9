use portcullis::factor::recovery::Code;

fn main() {
    println!("{:?}", Code::from_random([0; 10]));
}
