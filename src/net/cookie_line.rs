//! The `Set-Cookie` lines that we write.

use std::time::Duration;

use super::cookies::{DEVICE, SESSION};

/// Sets the session cookie. It has no lifetime of its own: the browser drops it when it
/// closes, and what counts is the time inside (NIST SP 800-63B-4 section 5.1.1).
pub fn set_session(token: &str) -> String {
    format!("{SESSION}={token}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// Removes the session cookie.
pub fn clear_session() -> String {
    format!("{SESSION}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}

/// Sets what a device is remembered by, for so long.
pub fn set_device(secret: &str, for_how_long: Duration) -> String {
    let seconds = for_how_long.as_secs();
    format!("{DEVICE}={secret}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax")
}

/// Removes what a device was remembered by.
pub fn clear_device() -> String {
    format!("{DEVICE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}

/// Removes a session cookie of the portal. Portals set theirs for the whole host as a rule;
/// one that is set for a folder below stays, and is worth nothing without a proof.
pub fn clear_of_portal(name: &str) -> String {
    format!("{name}=; Path=/; Max-Age=0")
}
