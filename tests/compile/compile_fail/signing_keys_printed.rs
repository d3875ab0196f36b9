use portcullis::session::KeyRing;

fn show(keys: &KeyRing) -> String {
    format!("{keys:?}")
}

fn main() {}
