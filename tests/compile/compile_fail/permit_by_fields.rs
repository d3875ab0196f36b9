use portcullis::policy::{Permit, PortalCookies, Reason};

fn main() {
    let _ = Permit { reason: Reason::Proven, cookies: PortalCookies::Keep };
}
