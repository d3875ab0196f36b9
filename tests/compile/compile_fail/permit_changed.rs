use portcullis::policy::{Permit, PortalCookies};

fn widen(permit: &mut Permit) {
    permit.cookies = PortalCookies::Keep;
}

fn main() {}
