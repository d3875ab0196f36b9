//! What an HTML page offers: forms with their fields, links, and what it loads. Tokens are
//! enough for that: a form owns the fields up to its end tag, however tables nest.

use std::collections::BTreeMap;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};

/// A page, as far as signing in goes.
#[derive(Debug, Default)]
pub(super) struct Html {
    /// Forms, in the order of the page.
    pub(super) forms: Vec<Form>,
    /// Fields outside of any form, which only a script can send.
    pub(super) loose: Vec<Field>,
    /// Where links lead.
    pub(super) links: Vec<String>,
    /// Styles, scripts and pictures that it loads.
    pub(super) assets: Vec<String>,
    /// How many scripts it has.
    pub(super) scripts: usize,
    /// What relative addresses start from, where the page says so.
    pub(super) base: Option<String>,
}

/// A form.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    id: Option<String>,
    /// Where it goes; to the page itself where it says nothing.
    pub(super) action: Option<String>,
    /// Whether it is sent by POST.
    pub(super) is_post: bool,
    /// Whether it is sent as multipart.
    pub(super) is_multipart: bool,
    /// Its fields, named or not.
    pub(super) fields: Vec<Field>,
}

/// A field of a form.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Empty where it has none; then no browser sends it.
    pub(super) name: String,
    /// What it is for.
    pub(super) kind: Kind,
    /// What stands in it before anybody types.
    pub(super) value: String,
    /// What it says of itself to a browser that fills it in.
    pub(super) autocomplete: String,
    form: Option<String>,
}

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, an e-mail address, a telephone number.
    Text,
    /// A password.
    Password,
    /// Never shown.
    Hidden,
    /// A button that sends the form.
    Submit,
    /// A choice that stands without anybody choosing.
    Chosen,
    /// Anything that is not sent unless somebody chooses it.
    Other,
}

impl Html {
    /// Reads a page; any text is one.
    pub(super) fn read(text: &str) -> Self {
        let mut emitter = DefaultEmitter::default();
        // Without it, what scripts print into pages would be read as forms.
        emitter.naively_switch_states(true);
        let mut reader = Reader::default();
        for token in Tokenizer::new_with_emitter(text, emitter).map_while(Result::ok) {
            match token {
                Token::StartTag(tag) => reader.open(&tag),
                Token::EndTag(tag) => reader.close(&String::from_utf8_lossy(&tag.name)),
                Token::String(text) => reader.text(&String::from_utf8_lossy(&text)),
                Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
            }
        }
        reader.finish()
    }

    /// How many password fields it has.
    pub(super) fn passwords(&self) -> usize {
        let fields = self.forms.iter().flat_map(|form| &form.fields).chain(&self.loose);
        fields.filter(|field| field.kind == Kind::Password).count()
    }
}

impl Form {
    /// The password fields.
    pub(super) fn passwords(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.kind == Kind::Password)
    }
}

#[derive(Default)]
struct Reader {
    page: Html,
    is_in_form: bool,
    select: Option<Select>,
}

/// A list to choose from, while it is read.
struct Select {
    field: Field,
    is_decided: bool,
    /// An option without a value stands for its text.
    awaits_text: bool,
}

impl Reader {
    fn open(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        let attributes: BTreeMap<String, String> =
            tag.attributes.iter().map(|(name, value)| (lossy(name), lossy(value))).collect();
        let found = |name: &str| attributes.get(name).cloned();
        match name.as_str() {
            "base" => self.page.base = self.page.base.take().or(found("href")),
            "a" | "area" => self.page.links.extend(found("href")),
            "script" => {
                self.page.scripts += 1;
                self.page.assets.extend(found("src"));
            }
            "img" => self.page.assets.extend(found("src")),
            "link" if is_loaded(&found("rel").unwrap_or_default()) => {
                self.page.assets.extend(found("href"));
            }
            // A form within a form is none.
            "form" if !self.is_in_form => {
                self.is_in_form = true;
                self.page.forms.push(form(&attributes));
            }
            "input" => self.add(input(&attributes)),
            "button" => self.add(button(&attributes)),
            "textarea" => self.add(field(&attributes, Kind::Text, String::new())),
            "select" => {
                self.end_select();
                let field = field(&attributes, Kind::Chosen, String::new());
                self.select = Some(Select { field, is_decided: false, awaits_text: false });
            }
            "option" => self.option(&attributes),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "form" => {
                self.end_select();
                self.is_in_form = false;
            }
            "select" => self.end_select(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(select) = self.select.as_mut().filter(|select| select.awaits_text) {
            text.trim().clone_into(&mut select.field.value);
            select.awaits_text = false;
        }
    }

    /// The first option stands, until one says that it is the chosen one.
    fn option(&mut self, attributes: &BTreeMap<String, String>) {
        let Some(select) = &mut self.select else { return };
        let is_chosen = attributes.contains_key("selected");
        let is_first = !select.is_decided && select.field.kind == Kind::Chosen;
        if is_chosen || is_first {
            select.is_decided = true;
            select.awaits_text = !attributes.contains_key("value");
            select.field.value = attributes.get("value").cloned().unwrap_or_default();
        }
    }

    fn end_select(&mut self) {
        if let Some(select) = self.select.take() {
            self.add(select.field);
        }
    }

    fn add(&mut self, field: Field) {
        let form = self.page.forms.last_mut().filter(|_| self.is_in_form);
        match form {
            Some(form) if field.form.is_none() => form.fields.push(field),
            _ => self.page.loose.push(field),
        }
    }

    /// Fields that name their form by its id are brought home.
    fn finish(mut self) -> Html {
        self.end_select();
        for field in std::mem::take(&mut self.page.loose) {
            let home =
                self.page.forms.iter_mut().find(|form| form.id.is_some() && form.id == field.form);
            match home {
                Some(form) => form.fields.push(field),
                None => self.page.loose.push(field),
            }
        }
        self.page
    }
}

fn form(attributes: &BTreeMap<String, String>) -> Form {
    let is = |name: &str, word: &str| {
        attributes.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    };
    Form {
        id: attributes.get("id").cloned(),
        action: attributes.get("action").map(|action| action.trim().to_owned()),
        is_post: is("method", "post"),
        is_multipart: is("enctype", "multipart/form-data"),
        fields: Vec::new(),
    }
}

fn input(attributes: &BTreeMap<String, String>) -> Field {
    let written = attributes.get("type").map(|kind| kind.trim().to_ascii_lowercase());
    let kind = match written.as_deref().unwrap_or("text") {
        "password" => Kind::Password,
        "hidden" => Kind::Hidden,
        "submit" => Kind::Submit,
        "checkbox" | "radio" if attributes.contains_key("checked") => Kind::Chosen,
        "checkbox" | "radio" | "button" | "reset" | "file" | "image" => Kind::Other,
        _ => Kind::Text,
    };
    let unsaid = if kind == Kind::Chosen { "on" } else { "" };
    let value = attributes.get("value").map_or(unsaid, String::as_str).to_owned();
    field(attributes, kind, value)
}

fn button(attributes: &BTreeMap<String, String>) -> Field {
    let kind = attributes.get("type").map(|kind| kind.trim().to_ascii_lowercase());
    let kind = match kind.as_deref() {
        Some("button" | "reset") => Kind::Other,
        _ => Kind::Submit,
    };
    field(attributes, kind, attributes.get("value").cloned().unwrap_or_default())
}

fn field(attributes: &BTreeMap<String, String>, kind: Kind, value: String) -> Field {
    // What is disabled is never sent.
    let kind = if attributes.contains_key("disabled") { Kind::Other } else { kind };
    Field {
        name: attributes.get("name").cloned().unwrap_or_default(),
        kind,
        value,
        autocomplete: attributes.get("autocomplete").cloned().unwrap_or_default().to_lowercase(),
        form: attributes.get("form").cloned(),
    }
}

fn is_loaded(rel: &str) -> bool {
    let loaded = [
        "stylesheet",
        "icon",
        "apple-touch-icon",
        "preload",
        "modulepreload",
        "manifest",
        "mask-icon",
    ];
    rel.split_ascii_whitespace().any(|word| loaded.contains(&word.to_ascii_lowercase().as_str()))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
