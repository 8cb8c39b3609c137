//! The reader of YAML. No other module uses the YAML crate.

mod names;

use super::{Lab, LabTree, Step, tree::LAB_FILE, validate::nearest};

/// An error in a lab's files, with its place if that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// The message with the place: one line, or several lines that show the source.
    pub text: String,
}

impl Fault {
    /// Creates an error without a place.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

/// Reads `lab.yaml` of `tree`. Fails with all invalid names, or with the first error of form.
pub fn lab(tree: &LabTree) -> Result<Lab, Vec<Fault>> {
    let fault = |text: String| vec![Fault::new(text)];
    let Some(bytes) = tree.files.get(LAB_FILE) else {
        return Err(fault(format!("{} has no {LAB_FILE}", tree.origin)));
    };
    let text =
        std::str::from_utf8(bytes).map_err(|e| fault(format!("{LAB_FILE} is not UTF-8: {e}")))?;
    let mut lab: Lab = serde_saphyr::from_str(text).map_err(|error| {
        let names = names::faults(text);
        if names.is_empty() {
            fault(located(LAB_FILE, text, &error))
        } else {
            names
        }
    })?;
    lab.steps.iter_mut().for_each(Step::own_measurements);
    Ok(lab)
}

/// Tests whether some readers of YAML take `c` for a line break, or ignore it. kubectl would then
/// read another manifest than the one that is shown.
fn is_read_otherwise(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

/// Tests whether kubectl splits the text at `line` although YAML does not. kubectl splits at each
/// line that begins with three dashes and drops the rest of the line.
fn is_cut_otherwise(line: &str) -> bool {
    let rest = line.strip_prefix("---").map(str::trim_end);
    rest.is_some_and(|rest| {
        let is_comment = rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#');
        !rest.is_empty() && !is_comment
    })
}

/// Checks that `text` is a stream of YAML documents that all readers read alike, and that each
/// document has the form of a Kubernetes object.
pub fn manifest(path: &str, text: &str) -> Result<(), Fault> {
    for (index, document) in read_alike(path, text)?.iter().enumerate() {
        let lacks = |key: &str| !document.get(key).is_some_and(serde_json::Value::is_string);
        if !document.is_null() && (lacks("apiVersion") || lacks("kind")) {
            return Err(Fault::new(format!(
                "{path}: document {} has no apiVersion or no kind",
                index + 1
            )));
        }
    }
    Ok(())
}

/// Reads the documents of `text`. Fails if readers of YAML disagree on it, as labctl would then
/// show something else than it does. For instance, if a mapping has a key both directly and through
/// a merge key (`<<`), some readers use the one value and some the other.
pub fn read_alike(path: &str, text: &str) -> Result<Vec<serde_json::Value>, Fault> {
    let number = |byte: usize| text[..byte].matches('\n').count() + 1;
    let strange = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = strange.find(is_read_otherwise) {
        let at = number(at + text.len() - strange.len());
        let what = "has a character that not every reader of YAML takes for the same";
        return Err(Fault::new(format!("{path}:{at}: the line {what}")));
    }
    if text.replace("\r\n", "\n").contains('\r') {
        let what = "has lines that end in a carriage return alone";
        return Err(Fault::new(format!("{path} {what}")));
    }
    if let Some(at) = text.lines().position(is_cut_otherwise) {
        let what = "three dashes stand alone on their line: kubectl leaves away what follows them";
        return Err(Fault::new(format!("{path}:{}: {what}", at + 1)));
    }
    let options = serde_saphyr::options! { merge_keys: serde_saphyr::MergeKeyPolicy::Error };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| Fault::new(located(path, text, &error)))
}

/// Returns the documents of `text`, or nothing if it is not YAML.
#[must_use]
pub fn documents(text: &str) -> Vec<serde_json::Value> {
    serde_saphyr::from_multiple(text).unwrap_or_default()
}

/// Returns the message of `error` with its place in `text`, and the line with a mark below it.
fn located(path: &str, text: &str, error: &serde_saphyr::Error) -> String {
    let error = error.without_snippet();
    let message = error.render();
    let Some(at) = error.location() else {
        return format!("{path}: {message}");
    };
    let place = format!(" at line {}, column {}", at.line(), at.column());
    let message = message.strip_suffix(&place).unwrap_or(&message);
    let near = match error {
        serde_saphyr::Error::SerdeUnknownField {
            field, expected, ..
        } => nearest(field, expected.iter()),
        serde_saphyr::Error::SerdeUnknownVariant {
            variant, expected, ..
        } => nearest(variant, expected.iter()),
        _ => String::new(),
    };
    at_place(path, text, at, &format!("{message}{near}"))
}

/// Returns `message` with its place in `text`, and the line with a mark below it.
fn at_place(path: &str, text: &str, at: serde_saphyr::Location, message: &str) -> String {
    let (row, column) = (at.line(), at.column());
    if row == 0 {
        return format!("{path}: {message}");
    }
    let index = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
    let line = text.lines().nth(index(row)).unwrap_or_default();
    let line = line.replace(char::is_control, " ");
    // A file that cannot be read does not tell which of its lines hold secrets.
    let line = if text.contains("Secret") && path != LAB_FILE {
        "(not shown: the file has a Secret in it)".to_owned()
    } else {
        line
    };
    let mark = " ".repeat(index(column).min(line.len()));
    let margin = " ".repeat(row.to_string().len());
    format!("{path}:{row}:{column}: {message}\n  {row} | {line}\n  {margin} | {mark}^")
}

/// Returns the `role` of each node in a kind configuration.
pub fn kind_roles(text: &str) -> Result<Vec<String>, String> {
    let config: serde_json::Value = serde_saphyr::from_str(text)
        .map_err(|error| located("kind configuration", text, &error))?;
    let nodes = config.get("nodes").and_then(serde_json::Value::as_array);
    let role = |node: &serde_json::Value| {
        let role = node.get("role").and_then(serde_json::Value::as_str);
        role.unwrap_or("control-plane").to_owned()
    };
    Ok(nodes.into_iter().flatten().map(role).collect())
}
