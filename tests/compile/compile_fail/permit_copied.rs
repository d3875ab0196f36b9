use portcullis::policy::Permit;

fn twice(permit: &Permit) -> Permit {
    permit.clone()
}

fn main() {}
