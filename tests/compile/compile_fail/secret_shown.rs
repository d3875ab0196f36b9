use portcullis::config::Secret;

fn main() {
    println!("{}", Secret::new(Vec::new()));
}
