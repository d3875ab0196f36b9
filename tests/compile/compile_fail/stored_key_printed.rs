use portcullis::account::Authenticator;

fn show(authenticator: &Authenticator) -> String {
    format!("{:?}", authenticator.key)
}

fn main() {}
