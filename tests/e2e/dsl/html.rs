//! As much of HTML as a story needs to read and to fill in a form.

/// A form of a page.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub action: Option<String>,
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// Fills a field in, whether the page shows it or not.
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a field out.
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// The first form of a page that is sent by POST and has a field of this name.
pub fn form_with(page: &str, field: &str) -> Option<Form> {
    forms(page).into_iter().find(|form| form.field(field).is_some())
}

/// Every form that is sent by POST.
pub fn forms(page: &str) -> Vec<Form> {
    let begins = page.match_indices("<form").map(|(at, _)| &page[at..]);
    begins
        .map(|rest| &rest[..rest.find("</form>").unwrap_or(rest.len())])
        .filter(|form| {
            attribute(head(form), "method")
                .is_some_and(|method| method.eq_ignore_ascii_case("post"))
        })
        .map(|form| Form {
            action: attribute(head(form), "action"),
            fields: tags(form, "<input")
                .chain(tags(form, "<button"))
                .filter_map(|tag| {
                    Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
                })
                .chain(lists(form))
                .collect(),
        })
        .collect()
}

/// What is chosen in each list of a form before anybody chooses.
fn lists(form: &str) -> impl Iterator<Item = (String, String)> {
    form.match_indices("<select").filter_map(|(at, _)| {
        let list = &form[at..];
        let list = &list[..list.find("</select>").unwrap_or(list.len())];
        let options: Vec<&str> = tags(list, "<option").collect();
        let chosen = options.iter().find(|tag| tag.contains(" selected")).or(options.first())?;
        Some((attribute(head(list), "name")?, attribute(chosen, "value")?))
    })
}

/// The text of the first element with this mark in its opening tag.
pub fn text_of(page: &str, mark: &str) -> Option<String> {
    texts_of(page, mark).into_iter().next()
}

/// The texts of all elements with this mark in their opening tags.
pub fn texts_of(page: &str, mark: &str) -> Vec<String> {
    page.match_indices(mark)
        .filter_map(|(at, _)| {
            let open = page[..at].rfind('<')?;
            let name: String =
                page[open + 1..].chars().take_while(char::is_ascii_alphanumeric).collect();
            let start = at + page[at..].find('>')? + 1;
            let end = start + page[start..].find(&format!("</{name}>"))?;
            Some(plain(&page[start..end]))
        })
        .collect()
}

/// Where the link with this id leads.
pub fn link(page: &str, id: &str) -> String {
    let found = tags(page, "<a").find(|tag| attribute(tag, "id").as_deref() == Some(id));
    found.and_then(|tag| attribute(tag, "href")).unwrap_or_else(|| panic!("no link {id}: {page}"))
}

/// The inline picture of a page.
pub fn svg(page: &str) -> Option<&str> {
    let start = page.find("<svg")?;
    let end = start + page[start..].find("</svg>")? + "</svg>".len();
    Some(&page[start..end])
}

/// What of some markup a person reads.
pub fn plain(markup: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for sign in markup.chars() {
        match sign {
            '<' => in_tag = true,
            '>' => in_tag = false,
            sign if !in_tag => text.push(sign),
            _ => {}
        }
    }
    unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of an attribute in an opening tag.
pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.find(&format!(" {name}=")).map(|at| at + name.len() + 2)?;
    let rest = &tag[at..];
    let value = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
        _ => rest.split([' ', '>']).next()?,
    };
    Some(unescape(value))
}

fn head(form: &str) -> &str {
    &form[..=form.find('>').unwrap_or(form.len() - 1)]
}

fn tags<'a>(markup: &'a str, open: &'a str) -> impl Iterator<Item = &'a str> {
    let starts = markup.match_indices(open).map(|(at, _)| &markup[at..]);
    starts.filter_map(|rest| rest.find('>').map(|end| &rest[..=end]))
}

fn unescape(text: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ];
    named.iter().fold(text.to_owned(), |text, (escape, sign)| text.replace(escape, sign))
}
