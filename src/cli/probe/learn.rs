//! The course of a probe: find the login, try it wrong and right, look around inside. What
//! cannot be learned is noted, and the careful choice made.

use url::Url;

use super::choose::{LoginForm, login_form, name_form};
use super::compare::{self, Marks};
use super::exchange::{Attempt, ScriptLogin, Way, basic, second_form};
use super::inside::{self, Visitor};
use super::names;
use super::page::Html;
use super::written::{Learned, Login, Mark, NameSource, Told};
use super::{Account, Options, ProbeError, whoami};
use crate::cli::http::{Client, Extra, Page};
use crate::cli::jar::Jar;
use crate::identity::bearer_of;
use crate::net::glob::Glob;
use crate::{hex, random};

/// The answers to a wrong and to a right password.
pub(super) struct Answers {
    pub(super) wrong: Page,
    pub(super) right: Page,
}

/// Probes the portal.
///
/// # Errors
/// When it cannot be read, or nothing there takes a password.
pub(super) async fn learn(
    options: &Options,
    account: Option<&Account>,
) -> Result<(Learned, Option<Answers>), ProbeError> {
    let client = Client::new(&options.url, options.host.as_deref());
    let pages = client.visit(&mut Jar::default(), &options.url).await?;
    let mut learned = Learned::of(&options.url, options.host.as_deref());
    learned.led(&pages);
    if options.host.is_none() {
        learned.note(
            "Probed by its own address. With --host NAME it is spoken to as the gateway will \
             do, over TLS by its public name: some portals call their cookies otherwise then.",
        );
    }
    let way = way(options, account, &client, &pages, &mut learned).await?;
    if let Some(page) = pages.last().filter(|_| !matches!(way, Way::Basic(_))) {
        learned.look_at(page);
    }
    let Some(account) = account else {
        guess(&way, &pages, &mut learned);
        return Ok((learned, None));
    };
    let wrong_password = wrong_password()?;
    let wrong = way.attempt(&client, &account.user, &wrong_password).await?;
    let right = way.attempt(&client, &account.user, &account.password).await?;
    let marks = compare::compare(&wrong.answer, &right.answer, learned.form_path());
    if !way.accepts(&marks, &right.answer) || way.accepts(&marks, &wrong.answer) {
        return Err(no_difference(&client, &wrong, &right).await?);
    }
    write_login(&way, &marks, &wrong, &right, &mut learned);
    if way.names_users() {
        learned.names = names::learn(&client, &way, &marks, account).await?;
    }
    look_inside(options, &client, &way, &marks, account, (&wrong, &right), &mut learned).await?;
    Ok((learned, Some(Answers { wrong: wrong.answer, right: right.answer })))
}

/// The answers are the same: either nobody was let in, or the portal tells on the next page.
async fn no_difference(
    client: &Client,
    wrong: &Attempt,
    right: &Attempt,
) -> Result<ProbeError, ProbeError> {
    let status = right.answer.status.as_u16();
    let next = |attempt: &Attempt| attempt.answer.leads_to().filter(|url| client.is_own(url));
    let (Some(of_wrong), Some(of_right)) = (next(wrong), next(right)) else {
        return Ok(ProbeError::NoDifference(status));
    };
    let mut jars = (wrong.jar.clone(), right.jar.clone());
    let of_wrong = client.get(&mut jars.0, &of_wrong).await?;
    let of_right = client.get(&mut jars.1, &of_right).await?;
    let passwords = |page: &Page| Html::read(&page.text()).passwords();
    let differ = of_wrong.status != of_right.status || passwords(&of_wrong) != passwords(&of_right);
    Ok(match differ {
        true => ProbeError::NextPage(of_right.url.path().to_owned()),
        false => ProbeError::NoDifference(status),
    })
}

fn wrong_password() -> Result<String, ProbeError> {
    let bytes: [u8; 12] = random::bytes()?;
    // Some portals refuse what could be no password before they compare it.
    Ok(format!("Wrong-{}-1", hex::text(&bytes)))
}

/// How the portal takes a password: as the options say, by HTTP Basic, or by a form.
async fn way(
    options: &Options,
    account: Option<&Account>,
    client: &Client,
    pages: &[Page],
    learned: &mut Learned,
) -> Result<Way, ProbeError> {
    if let Some(script) = script(options)? {
        learned.is_spa = true;
        learned.note(
            "What the page's scripts call before the sign-in has to be public too; the network \
             view of a browser shows it.",
        );
        learned.login_at(&options.url, "the page whose script signs in");
        return Ok(Way::Script(script));
    }
    let page = pages.last().ok_or(ProbeError::NoLogin)?;
    if let Some(url) = asked_for_basic(client, pages).await? {
        let url = match account {
            Some(account) => judged(client, url, account).await?,
            None => url,
        };
        let why = "the portal asks for HTTP Basic here, and judges it";
        learned.basic = Some(Told::new(url.path().to_owned(), why));
        return Ok(Way::Basic(url));
    }
    let html = Html::read(&page.text());
    if let Some(form) = login_form(&html, &page.url) {
        let url = learned.login_at(&page.url, "the page with the form");
        check_own(client, &form)?;
        return Ok(Way::Form {
            page: url,
            first: None,
            form: Box::new(form),
            given: given(options)?,
        });
    }
    if let Some(first) = name_form(&html, &page.url) {
        let account = account.ok_or(ProbeError::TwoSteps)?;
        check_own(client, &first)?;
        let url = learned.login_at(&page.url, "the page that asks for the name");
        let (shown, mut form) = second_form(client, &url, &account.user).await?;
        check_own(client, &form)?;
        learned.opens(&shown);
        if let Some((field, _)) = form.hidden.iter().find(|(_, value)| *value == account.user) {
            form.user = Some(field.clone());
            "a hidden field that repeats the name".clone_into(&mut form.why_user);
        }
        return Ok(Way::Form {
            page: url,
            first: Some(first),
            form: Box::new(form),
            given: given(options)?,
        });
    }
    Err(if html.scripts > 0 { ProbeError::SinglePage } else { ProbeError::NoLogin })
}

fn check_own(client: &Client, form: &LoginForm) -> Result<(), ProbeError> {
    client.is_own(&form.target).then_some(()).ok_or(ProbeError::ElsewhereForm)
}

fn script(options: &Options) -> Result<Option<ScriptLogin>, ProbeError> {
    let Some(path) = &options.login_path else { return Ok(None) };
    let as_json = (options.json_user.as_ref(), options.json_password.as_ref());
    let as_form = (options.form_user.as_ref(), options.form_password.as_ref());
    let (is_json, (user, password)) =
        if as_json.1.is_some() { (true, as_json) } else { (false, as_form) };
    let Some(password) = password else { return Ok(None) };
    let is_bad = |name: &&String| is_json && !name.starts_with('/');
    if let Some(bad) = user.into_iter().chain([password]).find(is_bad) {
        return Err(ProbeError::BadPointer(bad.clone()));
    }
    let target = options.url.join(path).ok();
    let target = target.filter(|url| url.origin() == options.url.origin());
    Ok(Some(ScriptLogin {
        target: target.ok_or(ProbeError::ElsewhereForm)?,
        is_json,
        user: user.cloned(),
        password: password.clone(),
        fields: given(options)?,
    }))
}

fn given(options: &Options) -> Result<Vec<(String, String)>, ProbeError> {
    let fields = options.field.iter().map(|field| {
        let pair = field.split_once('=').ok_or_else(|| ProbeError::BadField(field.clone()))?;
        Ok((pair.0.to_owned(), pair.1.to_owned()))
    });
    fields.collect()
}

/// A page that asks for HTTP Basic, or that refuses a wrong name in it, since some portals
/// ask for none where a page is open and judge what is sent all the same.
async fn asked_for_basic(client: &Client, pages: &[Page]) -> Result<Option<Url>, ProbeError> {
    if let Some(page) = pages.iter().find(|page| page.asks_for_basic()) {
        return Ok(Some(page.url.clone()));
    }
    let Some(page) = pages.last() else { return Ok(None) };
    let is_form_for_scripts =
        |html: &Html| html.passwords() == 0 || login_form(html, &page.url).is_none();
    if !is_form_for_scripts(&Html::read(&page.text())) {
        return Ok(None);
    }
    let value = basic("nobody", &wrong_password()?);
    let extra = Extra { authorization: Some(&value), ..Extra::default() };
    let answer = client.send(&mut Jar::default(), &::http::Method::GET, &page.url, extra).await?;
    Ok(answer.asks_for_basic().then(|| page.url.clone()))
}

/// Where the portal leads with the right password: a page that is shown judges more plainly
/// than one that leads on.
async fn judged(client: &Client, url: Url, account: &Account) -> Result<Url, ProbeError> {
    let authorization = Some(basic(&account.user, &account.password));
    let mut visitor = Visitor { jar: Jar::default(), authorization };
    let page = inside::follow(client, &mut visitor, &url).await?;
    Ok(if page.status.is_success() { page.url } else { url })
}

/// Without an account nothing was tried: what most portals do is written, and said to be so.
fn guess(way: &Way, pages: &[Page], learned: &mut Learned) {
    learned.note("No account was given, so no login was tried: what is marked as a guess is one.");
    if matches!(way, Way::Basic(_)) {
        return;
    }
    let set = pages.iter().flat_map(|page| {
        page.cookies.iter().map(|change| super::cookies::pattern(&change.name, &page.url))
    });
    let mut names: Vec<String> = set.collect();
    names.dedup();
    names.sort_by_key(|name| !super::cookies::sounds_like_a_session(name));
    names.truncate(1);
    let (name, why) = match names.pop() {
        Some(name) => (name, "a guess: set before the login; others may be set by it"),
        None => ("session".to_owned(), "a guess: no cookie is set before the login"),
    };
    learned.session_cookies.push(Told::new(name, why));
    let mut success = vec![Told::new(Mark::Status(302), "a guess: not tried")];
    if learned.form_path().len() > 1 {
        let back = Mark::LocationNot(format!("{}*", learned.form_path()));
        success.push(Told::new(back, "a guess: not tried"));
    }
    let marks = Marks { success, ..Marks::default() };
    learned.logins = logins(way, &marks, None);
}

fn write_login(way: &Way, marks: &Marks, wrong: &Attempt, right: &Attempt, learned: &mut Learned) {
    let same = wrong.form.as_ref().zip(right.form.as_ref());
    learned.logins = logins(way, marks, same);
    learned.bearer.clone_from(&marks.bearer);
    if learned.logins.iter().any(|login| login.form.is_empty() && login.shares) {
        learned.note(
            "Other forms go to the login's path, and no hidden field tells them apart: each of \
             them is let through as if it were a login.",
        );
    }
}

/// The entries for the way; two forms of one page loaded twice show what stays the same.
fn logins(way: &Way, marks: &Marks, twice: Option<(&LoginForm, &LoginForm)>) -> Vec<Login> {
    let entry = |form: &LoginForm, again: &LoginForm, login_page: &Url| {
        let has_query = login_page.path() == form.target.path() && login_page.query().is_some();
        let shares = form.shares_path || has_query;
        let told_apart = if shares { form.discriminators(again) } else { Vec::new() };
        let username = match (&form.user, form.is_multipart) {
            (Some(field), false) => NameSource::Form(field.clone()),
            (Some(field), true) => NameSource::Multipart(field.clone()),
            (None, _) => NameSource::Fixed("everyone".to_owned()),
        };
        Login {
            path: form.target.path().to_owned(),
            form: told_apart,
            shares,
            is_name_step: false,
            why: form.why.clone(),
            username: Told::new(username, form.why_user.clone()),
            success: marks.success.clone(),
            failure: marks.failure.clone(),
        }
    };
    match way {
        Way::Basic(_) => Vec::new(),
        Way::Form { page, first, form, .. } => {
            let (_, again) = twice.unwrap_or((form, form));
            let mut last = entry(form, again, page);
            let Some(first) = first else { return vec![last] };
            let mut step = entry(first, first, page);
            step.is_name_step = true;
            (step.success, step.failure) = (Vec::new(), Vec::new());
            if form.user.is_none() {
                let why = "the name was given on the page before";
                last.username = Told::new(NameSource::Remembered, why);
            }
            vec![step, last]
        }
        Way::Script(script) => vec![Login {
            path: script.target.path().to_owned(),
            form: Vec::new(),
            shares: false,
            is_name_step: false,
            why: Some("as the command line says".to_owned()),
            username: match &script.user {
                Some(name) => {
                    let source = if script.is_json { NameSource::Json } else { NameSource::Form };
                    Told::new(source(name.clone()), "as the command line says")
                }
                None => Told::new(NameSource::Fixed("everyone".to_owned()), "no name is sent"),
            },
            success: marks.success.clone(),
            failure: marks.failure.clone(),
        }],
    }
}

/// Looks around as somebody who is signed in.
async fn look_inside(
    options: &Options,
    client: &Client,
    way: &Way,
    marks: &Marks,
    account: &Account,
    (wrong, right): (&Attempt, &Attempt),
    learned: &mut Learned,
) -> Result<(), ProbeError> {
    let visitor = visitor(right, marks);
    learned.whoami = whoami::in_json(client, &visitor, &account.user).await;
    if matches!(way, Way::Basic(_)) || marks.bearer.is_some() {
        if learned.whoami.is_none() && marks.bearer.is_some() {
            learned.note("No page was found on which the portal names the user (whoami).");
        }
        return Ok(());
    }
    let mut urls: Vec<Url> = right.answer.leads_to().into_iter().collect();
    urls.retain(|url| client.is_own(url));
    urls.push(client.origin().clone());
    urls.extend(client.origin().join("/"));
    urls.push(options.url.clone());
    let pages = inside::pages(client, &visitor, &urls, &account.user).await?;
    let mut changing = inside::changing(client, &visitor, &pages).await?;
    let found = inside::session_cookies(client, &visitor, &wrong.jar, &pages).await?;
    changing.retain(|name| found.iter().any(|known| Glob::new(&*known.value).matches(name)));
    if learned.whoami.is_none() && !changing.is_empty() {
        let seen: Vec<Url> = pages.iter().map(|inside| inside.page.url.clone()).collect();
        learned.whoami = whoami::on_page(client, &visitor, &seen, &account.user).await;
    }
    learned.session(&visitor, found, &changing, pages.is_empty(), right);
    learned.logout = pages.iter().find_map(|inside| inside::logout(&inside.page));
    if learned.logout.is_none() {
        learned.note("No link or form to sign out was found on the pages that were read.");
    }
    Ok(())
}

fn visitor(right: &Attempt, marks: &Marks) -> Visitor {
    let token = marks.bearer.as_ref();
    let token = token.and_then(|pointer| bearer_of(&right.answer.body, &pointer.value));
    Visitor { jar: right.jar.clone(), authorization: token.or(right.authorization.clone()) }
}
