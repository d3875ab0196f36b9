//! Learns who a user is from the portal's own login: which request carries a password,
//! which answer means that the portal took it, and what the portal's session is afterwards.
//! Passwords pass through and are never looked at.

mod body;
mod form;
mod jwt;
mod login;
mod multipart;
mod names;
mod outcome;
mod portal_session;
mod signed;
mod steps;
mod stray_token;
mod suspicion;
mod told;
mod username;

pub use body::BodyKind;
pub use jwt::JwtFault;
pub use login::{
    Attempt, Sent, Sight, is_for_logins_alone, is_login_address, names_a_user, read_attempt,
};
pub use names::Names;
pub use outcome::{Answer, LONGEST_JUDGED, LoginOutcome, judge};
pub use portal_session::{CookieSet, SessionLine};
pub use signed::signed;
pub use steps::Steps;
pub use stray_token::{has_token_in_address, may_hide_a_token};
pub use suspicion::Suspicion;
pub use told::{
    Answers, AskFault, LONGEST_ANSWER, Told, announced, bearer_of, says_nobody, user_of,
};
pub use username::{basic_name, normalise};
