use portcullis::factor::totp::TotpKey;

fn show(key: &TotpKey) -> String {
    format!("{key:?}")
}

fn main() {}
