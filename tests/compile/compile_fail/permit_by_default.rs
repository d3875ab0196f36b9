use portcullis::policy::Permit;

fn main() {
    let _: Permit = Default::default();
}
