use portcullis::session::AssertionKeys;

fn show(keys: &AssertionKeys) -> String {
    format!("{keys:?}")
}

fn main() {}
