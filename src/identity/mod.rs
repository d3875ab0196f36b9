//! Learns who a user is from the portal's own login: which request carries a password,
//! which answer means that the portal took it, and what the portal's session is afterwards.
//! Passwords pass through and are never looked at.

mod body;
mod form;
mod jwt;
mod login;
mod multipart;
mod outcome;
mod portal_session;
mod steps;
mod told;
mod username;

pub use body::BodyKind;
pub use jwt::JwtFault;
pub use login::{
    Attempt, Sent, Sight, is_for_logins_alone, is_login_address, names_a_user, read_attempt,
};
pub use outcome::{Answer, LoginOutcome, judge};
pub use portal_session::{CookieSet, SessionLine};
pub use steps::Steps;
pub use told::{Answers, AskFault, LONGEST_ANSWER, Told, bearer_of, says_nobody, user_of};
pub use username::{basic_name, normalise};
