//! One of the crowd: an app whose codes are given in their order, recovery codes, and the last
//! session that was proven.

use std::net::SocketAddr;

use tokio::join;

use crate::crowd::{Street, give, seen};
use crate::dsl::browser::Shown;
use crate::dsl::{Phone, html};
use crate::history::{Code, Deed, Verdict};
use crate::tab::Tab;

/// Codes that are read off the app at once: it is a program of its own.
const AT_ONCE: usize = 40;
/// The length of a time step, in seconds.
const STEP: u64 = 30;

/// Somebody who is enrolled.
pub struct Member {
    pub user: String,
    password: String,
    phone: Phone,
    codes: Vec<(u64, String)>,
    recovery: Vec<String>,
    /// The last time step of which a code was given.
    given: u64,
    /// The last code was refused, as all are for a while after some faults.
    refused: bool,
    last: Option<Session>,
}

/// A session that was proven.
pub struct Session {
    tab: Tab,
    user: String,
    number: usize,
}

/// The page that asks for a code.
pub struct Asked {
    pub tab: Tab,
    pub page: Shown,
}

/// Where the password led.
pub enum Led {
    ToCode(Shown),
    ToEnrolment(Shown),
}

impl Member {
    /// The first visit; nothing when it came to an unknown end.
    pub async fn enrols(street: &Street, (user, password): (String, String)) -> Option<Self> {
        let mut tab = street.tab(street.plain);
        let Led::ToEnrolment(page) =
            Self::gives_password(street, &mut tab, &user, &password).await?
        else {
            panic!("{user} is enrolled already")
        };
        let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
        let step = street.now() / STEP;
        let (began, text) = (street.history.now(), phone.code(step * STEP));
        let told = tab.send(&page, &page.form("code").fill("code", &text)).await?;
        if told.status != 303 || !told.location().starts_with("/.mfa/recovery-codes") {
            return None;
        }
        let code = Code::Step(step);
        let answer = Verdict::Accepted;
        street.history.note(began, &tab.at, Deed::Code { user: user.clone(), code, answer });
        street.history.note(began, &tab.at, Deed::Enrolled { user: user.clone() });
        // Who is told and then sees no recovery codes is enrolled all the same.
        let page = tab.follow(told).await.filter(|page| page.status == 200)?;
        let recovery = html::texts_of(&page.body, "recovery-code\"");
        let form = page.form("acknowledged").fill("acknowledged", "yes");
        tab.send(&page, &form).await?;
        let (codes, given) = (Vec::new(), step);
        let last = None;
        Some(Self { user, password, phone, codes, recovery, given, refused: false, last })
    }

    /// Signs in at the portal and writes down what is asked for then; nothing when it does not
    /// come so far.
    pub async fn gives_password(
        street: &Street,
        tab: &mut Tab,
        user: &str,
        password: &str,
    ) -> Option<Led> {
        let page = tab.go("/login").await.filter(|page| page.status == 200)?;
        let form = page.form("password").fill("user", user).fill("password", password);
        let began = street.history.now();
        let led = tab.send(&page, &form).await.filter(|led| led.status == 303)?;
        let enrolled = led.location().starts_with("/.mfa/verify");
        assert!(enrolled || led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
        street.history.note(began, &tab.at, Deed::Known { user: user.to_owned(), enrolled });
        let page = tab.follow(led).await.filter(|page| page.status == 200)?;
        Some(if enrolled { Led::ToCode(page) } else { Led::ToEnrolment(page) })
    }

    /// A whole sign-in, or two at once with one code; gives whether a code was accepted.
    pub async fn signs_in(&mut self, street: &Street) -> bool {
        let Some((code, text)) = self.next_code(street.now()) else { return false };
        // Every fourth comes in two browsers at the same moment.
        let twice = self.user.ends_with(['0', '4', '8']);
        let Some(mut one) = self.comes(street).await else { return false };
        let other = if twice { self.comes(street).await } else { None };
        // From here on the code may count as given.
        match &code {
            Code::Step(step) => self.given = *step,
            Code::Recovery(text) => self.recovery.retain(|kept| kept != text),
        }
        let user = self.user.clone();
        let began = street.history.now();
        let mut won = Vec::new();
        let answer = match other {
            None => give(street, &mut one, &user, &code, &text).await,
            Some(mut other) => {
                let (first, second) = join!(
                    give(street, &mut one, &user, &code, &text),
                    give(street, &mut other, &user, &code, &text)
                );
                won.extend((second == Verdict::Accepted).then_some(other.tab));
                if second == Verdict::Accepted { second } else { first }
            }
        };
        self.refused = answer == Verdict::Refused;
        if answer == Verdict::Accepted {
            let tab = won.pop().unwrap_or(one.tab);
            self.is_proven(street, began, tab);
            self.looks(street).await;
        }
        answer == Verdict::Accepted
    }

    /// Looks at a page in the last session.
    pub async fn looks(&mut self, street: &Street) {
        if let Some(session) = &mut self.last {
            session.looks(street).await;
        }
    }

    /// The last session at another way in.
    pub fn session(&self, to: SocketAddr) -> Option<Session> {
        let Session { tab, user, number } = self.last.as_ref()?;
        Some(Session { tab: tab.also(to), user: user.clone(), number: *number })
    }

    fn is_proven(&mut self, street: &Street, began: std::time::Duration, tab: Tab) {
        let number = street.next_session();
        let deed = Deed::Proven { user: self.user.clone(), session: number };
        street.history.note(began, &tab.at, deed);
        self.last = Some(Session { tab, user: self.user.clone(), number });
    }

    /// Comes as far as the page that asks for a code.
    async fn comes(&self, street: &Street) -> Option<Asked> {
        let mut tab = street.tab(street.plain);
        match Self::gives_password(street, &mut tab, &self.user, &self.password).await? {
            Led::ToCode(page) => Some(Asked { tab, page }),
            // That this is a fault stands in the history.
            Led::ToEnrolment(_) => None,
        }
    }

    /// A code that was not given before: the app's own, or a recovery code where that has none.
    fn next_code(&mut self, now: u64) -> Option<(Code, String)> {
        let step = now / STEP;
        if self.codes.iter().all(|(known, _)| *known < step) {
            let codes = self.phone.codes(step * STEP, AT_ONCE);
            self.codes = (step..).zip(codes).collect();
        }
        let fresh = self.codes.iter().find(|(known, _)| *known == step && *known > self.given);
        match fresh {
            Some((step, text)) if !self.refused => Some((Code::Step(*step), text.clone())),
            _ => self.recovery.last().map(|text| (Code::Recovery(text.clone()), text.clone())),
        }
    }
}

impl Session {
    /// Looks at a page, and writes down what is shown.
    pub async fn looks(&mut self, street: &Street) {
        let began = street.history.now();
        let shown = self.tab.open("/home").await;
        let answer = seen(shown.as_ref());
        let (user, session) = (self.user.clone(), self.number);
        street.history.note(began, &self.tab.at, Deed::Page { user, session, answer });
    }
}
