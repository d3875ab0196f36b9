//! The way to the server of mails. It knows by heart that servers hang, refuse and repeat in
//! their answers whom a mail was for: of an answer only the number is ever told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Message, message::header::HeaderName, message::header::HeaderValue};

use super::NotifyError;
use super::carrier::{Setback, Trouble};
use super::letters::Letter;
use crate::config::{Smtp, SmtpGuard};
use crate::net::email::EmailAddress;

/// How long a server may take to greet us and to take the login.
const GREETING: Duration = Duration::from_secs(20);
/// How long it may take to take one mail.
const DELIVERY: Duration = Duration::from_secs(60);
/// How long we wait for a farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// Up to where we came with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its greeting, and ours.
    Greeting,
    /// STARTTLS.
    Tls,
    /// The login.
    Login,
    /// Who a mail is from.
    Sender,
    /// Whom it is for, and the mail itself.
    Mail,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Greeting => "the greeting",
            Self::Tls => "STARTTLS",
            Self::Login => "the login",
            Self::Sender => "the sender",
            Self::Mail => "a mail",
        })
    }
}

/// Carries mails to one server.
pub struct Courier {
    smtp: Arc<Smtp>,
    tls: Option<TlsParameters>,
    hello: ClientId,
}

/// A server that has greeted us.
pub(super) struct Line(AsyncSmtpConnection);

impl Courier {
    /// Makes ready what the way to the server needs; goes nowhere yet.
    ///
    /// # Errors
    /// When there can be no TLS to a server of this name.
    pub fn new(smtp: Arc<Smtp>) -> Result<Self, NotifyError> {
        let tls = match smtp.guard {
            SmtpGuard::Plain => None,
            SmtpGuard::Tls | SmtpGuard::StartTls => {
                let parameters = TlsParameters::new_rustls(smtp.host.clone());
                Some(parameters.map_err(|error| NotifyError::Tls(error.to_string()))?)
            }
        };
        let hello = ClientId::Domain(smtp.from.email.domain().to_owned());
        Ok(Self { smtp, tls, hello })
    }

    /// Looks whether the server greets us and takes the login; sends nothing.
    ///
    /// # Errors
    /// When it does not.
    pub async fn look(&self) -> Result<(), Trouble> {
        self.connect().await?.leave().await;
        Ok(())
    }

    /// Goes to the server, up to where it takes mails.
    pub(super) async fn connect(&self) -> Result<Line, Trouble> {
        let connected = tokio::time::timeout(GREETING, self.greet());
        connected.await.map_err(|_| Trouble::Silent)?
    }

    async fn greet(&self) -> Result<Line, Trouble> {
        let server = (self.smtp.host.as_str(), self.smtp.port);
        let wrapped = self.tls.clone().filter(|_| self.smtp.guard == SmtpGuard::Tls);
        let greeted =
            AsyncSmtpConnection::connect_tokio1(server, Some(GREETING), &self.hello, wrapped, None);
        let mut line = greeted.await.map_err(|error| trouble(Stage::Greeting, &error))?;
        if self.smtp.guard == SmtpGuard::StartTls {
            let tls = self.tls.clone().filter(|_| line.can_starttls()).ok_or(Trouble::NoTls)?;
            let guarded = line.starttls(tls, &self.hello).await;
            guarded.map_err(|error| trouble(Stage::Tls, &error))?;
        }
        if let Some(login) = &self.smtp.login {
            let password = String::from_utf8_lossy(login.password.reveal()).into_owned();
            let credentials = Credentials::new(login.user.clone(), password);
            let known = line.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            known.map_err(|error| trouble(Stage::Login, &error))?;
        }
        Ok(Line(line))
    }

    /// Hands over one mail. `id` names it, so that a mail which came twice can be told.
    pub(super) async fn deliver(
        &self,
        line: &mut Line,
        to: &EmailAddress,
        letter: Letter,
        id: &str,
        date: SystemTime,
    ) -> Result<(), Setback> {
        let message = self.message(to, letter, id, date).ok_or(Setback::Refused(0))?;
        let handed = tokio::time::timeout(DELIVERY, self.hand_over(line, to, &message));
        handed.await.map_err(|_| Setback::Trouble(Trouble::Silent))?
    }

    async fn hand_over(
        &self,
        Line(line): &mut Line,
        to: &EmailAddress,
        message: &[u8],
    ) -> Result<(), Setback> {
        let from = MailFrom::new(Some(self.smtp.from.email.clone()), Vec::new());
        line.command(from).await.map_err(|error| trouble(Stage::Sender, &error))?;
        let to = Rcpt::new(to.as_address().clone(), Vec::new());
        line.command(to).await.map_err(|error| setback(&error))?;
        line.command(Data).await.map_err(|error| setback(&error))?;
        line.message(message).await.map_err(|error| setback(&error))?;
        Ok(())
    }

    /// The mail as it travels: headers are encoded by the library, and no value of ours has
    /// an end of a line in it.
    fn message(
        &self,
        to: &EmailAddress,
        letter: Letter,
        id: &str,
        date: SystemTime,
    ) -> Option<Vec<u8>> {
        let from = self.smtp.from.clone();
        let id = format!("<{id}@{}>", from.email.domain());
        // No holiday message shall answer it (RFC 3834 section 5).
        let by_itself = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        let language = HeaderValue::new(
            HeaderName::new_from_ascii_str("Content-Language"),
            letter.language.tag().to_owned(),
        );
        let message = Message::builder()
            .from(from)
            .to(Mailbox::new(None, to.as_address().clone()))
            .subject(letter.subject)
            .date(date)
            .message_id(Some(id))
            .raw_header(by_itself)
            .raw_header(language)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text);
        message.ok().map(|message| message.formatted())
    }
}

impl Line {
    /// Says farewell; a server that does not answer to that is left all the same.
    pub(super) async fn leave(mut self) {
        let _farewell = tokio::time::timeout(FAREWELL, self.0.quit()).await;
    }
}

/// Codes that say that the login is missing or wrong, whatever they answer (RFC 4954 section 6).
const LOGIN_CODES: [u16; 4] = [530, 534, 535, 538];
/// The server goes away (RFC 5321 section 4.2.3).
const LEAVING: u16 = 421;

fn setback(error: &Error) -> Setback {
    let Some(code) = error.status().map(u16::from) else {
        return Setback::Trouble(trouble(Stage::Mail, error));
    };
    match code {
        LEAVING => Setback::Trouble(trouble(Stage::Mail, error)),
        code if LOGIN_CODES.contains(&code) => Setback::Trouble(trouble(Stage::Login, error)),
        code if error.is_permanent() => Setback::Refused(code),
        code => Setback::Later(code),
    }
}

/// What is told of an error: never the words of the server.
fn trouble(stage: Stage, error: &Error) -> Trouble {
    match error.status() {
        Some(code) => Trouble::Answer(stage, code.into()),
        None if error.is_response() || error.is_client() => Trouble::Unknown(stage),
        None => Trouble::Unreachable(error.to_string()),
    }
}
