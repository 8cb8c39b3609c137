//! Redaction of secret values in text.
//!
//! The caller says which values are secret. A value is found as it is, escaped for JSON, a URL or a
//! shell, and encoded in base64. Of a value with several lines each line is found, as output comes
//! line by line. Some values are left alone, since they are no secrets or would make every output
//! unreadable:
//!
//! - values under four characters, numbers under six digits, and words such as `true`;
//! - values that are also the name of something in the lab (`postgres` is the name of the Pod, the
//!   image and the user): they are in plain sight. Their base64 form is redacted all the same;
//! - values under eight characters inside of longer words: `root` is not redacted in `rootless`.

use std::collections::BTreeSet;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};

use super::{Untrusted, untrusted::dollar_quoted};

/// The text that replaces a secret.
pub const REDACTED: &str = "‹redacted›";
/// The minimum length of a secret, in characters.
const SHORTEST: usize = 4;
/// The minimum length of a numeric secret. Shorter numbers are ports, counts and years.
const SHORTEST_NUMBER: usize = 6;
/// The minimum length of a value that is redacted inside of longer words too, and of a single line
/// of a value with several lines.
const LONG: usize = 8;
/// Values that are never secrets.
const TRIVIAL: [&str; 8] = [
    "true", "false", "null", "none", "default", "enabled", "disabled", "redacted",
];

/// A redactor of secrets in text. It makes the text harmless too, as [`Untrusted`] does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redactor {
    /// The forms of secrets that are redacted anywhere, the longest first.
    anywhere: Vec<String>,
    /// The forms of secrets that are redacted only as whole words, the longest first.
    words: Vec<String>,
    /// The base64 of secrets that follow other bytes, such as a user and a colon. All of the base64
    /// around such a form is redacted.
    within_base64: BTreeSet<String>,
}

impl Redactor {
    /// Creates a redactor of `secrets`. Secrets that are `public`, being names, are redacted only
    /// in base64.
    #[must_use]
    pub fn new(secrets: &BTreeSet<String>, public: &BTreeSet<String>) -> Self {
        let mut forms = BTreeSet::new();
        let mut within_base64 = BTreeSet::new();
        for secret in secrets {
            let whole = [secret.as_str(), secret.trim()];
            let lines = secret.lines().map(str::trim);
            let lines = lines.filter(|line| secret.trim() != *line && length(line) >= LONG);
            for value in whole.into_iter().chain(lines) {
                if is_trivial(value) {
                    continue;
                }
                encoded(value, &mut forms);
                if !public.contains(value) {
                    written(value, &mut forms);
                    within_base64.extend(middles(value));
                }
            }
        }
        let mut forms: Vec<String> = forms.into_iter().collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let (anywhere, words) = forms.into_iter().partition(|form| length(form) >= LONG);
        Self {
            anywhere,
            words,
            within_base64,
        }
    }

    /// Returns `text` redacted and harmless, with its line breaks kept.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut clean = Untrusted::lines(text);
        // First, as redacting a whole form could split the base64 that contains one of these.
        for middle in &self.within_base64 {
            if clean.contains(middle) {
                clean = replace_base64(&clean, middle);
            }
        }
        for secret in &self.anywhere {
            if clean.contains(secret) {
                clean = clean.replace(secret, REDACTED);
            }
        }
        for secret in &self.words {
            if clean.contains(secret) {
                clean = replace_word(&clean, secret);
            }
        }
        clean = without_credentials(&clean);
        if clean.contains('…') {
            clean = self.without_beginnings(&clean);
        }
        clean
    }

    /// Redacts all texts in `value`, and makes them and the keys harmless.
    pub fn json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.text(text),
            serde_json::Value::Array(values) => values.iter_mut().for_each(|v| self.json(v)),
            serde_json::Value::Object(object) => {
                let fields = std::mem::take(object).into_iter();
                *object = fields
                    .map(|(key, mut value)| {
                        self.json(&mut value);
                        (Untrusted::new(&key).as_str().to_owned(), value)
                    })
                    .collect();
            }
            _ => {}
        }
    }

    /// Redacts the beginning of a secret before a `…`. Text is cut at a certain length, and the
    /// part of a secret that is left before the cut may tell most of it.
    fn without_beginnings(&self, text: &str) -> String {
        let mut parts: Vec<String> = text.split('…').map(ToOwned::to_owned).collect();
        let cut = parts.len() - 1;
        for part in &mut parts[..cut] {
            let all = self.anywhere.iter().chain(&self.words);
            let left = all.filter_map(|s| beginning_of(s, part));
            if let Some(longest) = left.max() {
                part.truncate(part.len() - longest);
                part.push_str(REDACTED);
            }
        }
        parts.join("…")
    }
}

/// Returns the length in bytes of the longest beginning of `secret` that `text` ends with.
/// Beginnings that are shorter than [`SHORTEST`] do not count.
fn beginning_of(secret: &str, text: &str) -> Option<usize> {
    let ends = secret.char_indices().map(|(end, _)| end).skip(SHORTEST);
    let found = ends.filter(|end| text.ends_with(&secret[..*end]));
    found.max()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn is_trivial(value: &str) -> bool {
    let is_number = value.chars().all(|c| c.is_ascii_digit());
    length(value) < SHORTEST
        || (is_number && value.len() < SHORTEST_NUMBER)
        || TRIVIAL.contains(&value.to_ascii_lowercase().as_str())
}

/// Adds the forms in which `value` may appear in text.
fn written(value: &str, forms: &mut BTreeSet<String>) {
    let json = json_escaped(value);
    // Go's encoder, which kubectl uses, also escapes `&`, `<` and `>` for HTML.
    let go = json
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e");
    // The sets of characters that stay unescaped: by RFC 3986, in JavaScript, in Go's paths.
    for kept in ["-_.~", "-_.!~*'()", "-_.~$&+=:@"] {
        for lower in [false, true] {
            let encoded = percent_encoded(value, kept, lower);
            forms.insert(encoded.replace("%20", "+"));
            forms.insert(encoded);
        }
    }
    forms.extend([
        value.to_owned(),
        Untrusted::lines(value),
        json_escaped(&json),
        json_escaped(&go),
        json,
        go,
        value.replace('\'', r"'\''"),
        dollar_quoted(value),
        value.escape_debug().to_string(),
    ]);
}

/// Adds the forms of `value` in base64, with and without the line break that `echo` adds.
fn encoded(value: &str, forms: &mut BTreeSet<String>) {
    for bytes in [value.to_owned(), format!("{value}\n")] {
        for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
            forms.insert(engine.encode(&bytes));
        }
    }
}

/// The minimum length of base64 by which a secret is recognised within a longer text.
const MIDDLE: usize = 5;

/// Returns the characters in the base64 of `value` that do not depend on the bytes around it.
/// Base64 turns three bytes into four characters, so the three offsets within a group of three
/// cover every text before `value`.
fn middles(value: &str) -> impl Iterator<Item = String> {
    let of = |before: usize| {
        let bytes = [&[0; 3][..before], value.as_bytes()].concat();
        let whole = STANDARD_NO_PAD.encode(&bytes);
        // Leaves out characters that hold bits of a neighbouring byte, which is unknown.
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        whole.get(first..last).unwrap_or_default().to_owned()
    };
    let middles = [0, 1, 2].map(of).into_iter();
    let middles = middles.filter(|middle| middle.len() >= MIDDLE);
    middles.flat_map(|m| [m.replace('+', "-").replace('/', "_"), m])
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_=".contains(c)
}

/// Replaces each run of base64 in `text` that contains `middle`.
fn replace_base64(text: &str, middle: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(middle) {
        let before = rest[..at].trim_end_matches(is_base64);
        let after = rest[at + middle.len()..].trim_start_matches(is_base64);
        replaced.push_str(before);
        replaced.push_str(REDACTED);
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

/// Redacts the credentials of HTTP basic authentication (RFC 7617) in `text`, no matter whose.
fn without_credentials(text: &str) -> String {
    const SCHEME: &str = "basic ";
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    // ASCII lower case keeps the length, so the index is valid in `rest`.
    while let Some(at) = rest.to_ascii_lowercase().find(SCHEME) {
        let (before, after) = rest.split_at(at + SCHEME.len());
        let end = after.find(|c| !is_base64(c)).unwrap_or(after.len());
        let (encoded, after) = after.split_at(end);
        let plain = encoded.trim_end_matches('=');
        let decoded = STANDARD_NO_PAD.decode(plain);
        let decoded = decoded.or_else(|_| URL_SAFE_NO_PAD.decode(plain));
        let is_pair = decoded.is_ok_and(|pair| pair.contains(&b':'));
        clean.push_str(before);
        clean.push_str(if is_pair { REDACTED } else { encoded });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent_encoded(text: &str, kept: &str, lower: bool) -> String {
    let encode = |byte: u8| {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || (c.is_ascii() && kept.contains(c)) {
            c.to_string()
        } else if lower {
            format!("%{byte:02x}")
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

/// Replaces `word` in `text` unless it is part of a longer word.
fn replace_word(text: &str, word: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let last = before.chars().next_back().or(replaced.chars().next_back());
        replaced.push_str(before);
        let is_part = joins(last) || joins(after.chars().next());
        replaced.push_str(if is_part { word } else { REDACTED });
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str], public: &[&str]) -> Redactor {
        let set = |values: &[&str]| values.iter().map(ToString::to_string).collect();
        Redactor::new(&set(secrets), &set(public))
    }

    #[test]
    fn a_secret_is_found_in_each_of_its_forms() {
        let secret = "p\"a<s>s' w/ord&1é";
        let redactor = redactor(&[secret], &[]);
        for form in [
            secret.to_owned(),
            serde_json::json!({ "a": secret }).to_string(),
            serde_json::json!(serde_json::json!({ "a": secret }).to_string()).to_string(),
            r#"{"a":"p\"a\u003cs\u003es' w/ord\u00261é"}"#.to_owned(),
            "https://u:p%22a%3Cs%3Es%27%20w%2Ford%261%C3%A9@h/".to_owned(),
            "q=p%22a%3Cs%3Es%27+w%2Ford%261%C3%A9".to_owned(),
            "q=p%22a%3cs%3es%27%20w%2ford%261%c3%a9".to_owned(),
            STANDARD.encode(secret),
            STANDARD.encode(format!("{secret}\n")),
            format!("x{}y", URL_SAFE_NO_PAD.encode(secret)),
            r#"'p"a<s>s'\'' w/ord&1é'"#.to_owned(),
        ] {
            let text = redactor.text(&form);
            assert!(text.contains(REDACTED), "{form} became {text}");
            assert!(!text.contains("ord"), "{form} became {text}");
        }
    }

    #[test]
    fn each_line_of_a_key_is_a_secret() {
        let redactor = redactor(&["-----BEGIN KEY-----\nMIIEowIBAAKC\nabc\n"], &[]);
        assert_eq!(redactor.text("| MIIEowIBAAKC |"), "| ‹redacted› |");
        assert_eq!(redactor.text("abc"), "abc");
    }

    #[test]
    fn what_is_trivial_short_or_a_name_leaves_the_text_readable() {
        let redactor = redactor(&["abc", "true", "5432", "root", "postgres"], &["postgres"]);
        let text = "abc true 5432 rootless postgres-0";
        assert_eq!(redactor.text(text), text);
        assert_eq!(redactor.text("root:root!"), "‹redacted›:‹redacted›!");
        assert_eq!(redactor.text("cG9zdGdyZXM="), REDACTED);
    }

    #[test]
    fn the_beginning_of_a_secret_before_a_cut_is_gone_too() {
        let redactor = redactor(&["only-for-the-lab"], &[]);
        assert_eq!(redactor.text("is \"only-for-t…\""), "is \"‹redacted›…\"");
        assert_eq!(redactor.text("is only…"), "is ‹redacted›…");
        assert_eq!(redactor.text("so on…"), "so on…");
    }

    #[test]
    fn a_secret_behind_a_user_in_base64_is_gone_with_all_around_it() {
        let redactor = redactor(&["sw0rdfish!", "p1n-Q"], &[]);
        for user in ["", "u", "me", "you", "postgres"] {
            for (secret, after) in [("sw0rdfish!", ""), ("sw0rdfish!", "\nx"), ("p1n-Q", "")] {
                let pair = STANDARD.encode(format!("{user}:{secret}{after}"));
                let text = redactor.text(&format!("auth: {pair}, and more"));
                assert_eq!(text, format!("auth: {REDACTED}, and more"), "{pair}");
            }
        }
        // Credentials that are not known as secrets are only recognised after the scheme's name.
        let pair = STANDARD.encode("somebody:unknown");
        let header = redactor.text(&format!("Authorization: BASIC {pair}"));
        assert_eq!(header, format!("Authorization: BASIC {REDACTED}"));
        let text = "basic settings of a basic user";
        assert_eq!(redactor.text(text), text);
    }

    #[test]
    fn the_beginning_of_a_short_secret_before_a_cut_is_gone_too() {
        assert_eq!(redactor(&["hunter2"], &[]).text("hunte…"), "‹redacted›…");
    }

    proptest::proptest! {
        #[test]
        fn no_secret_of_some_length_survives(
            secret in "[a-zA-Z0-9!-/]{8,20}", before in ".{0,10}", after in ".{0,10}",
        ) {
            let redactor = redactor(&[&secret], &[]);
            let trivial = is_trivial(&secret);
            let text = redactor.text(&format!("{before}{secret}{after}"));
            proptest::prop_assert!(trivial || !text.contains(&secret), "{}", text);
        }
    }
}
