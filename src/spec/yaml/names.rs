//! The invalid names in a `lab.yaml`: all of them at once, each with its place. The deserializer of
//! the model stops at the first.

use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

use super::{Fault, LAB_FILE, at_place};
use crate::spec::{
    ImageRef, StepId, ToolName, name::NameError, params::text_or, tool::VersionWord,
};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Lab {
    images: Vec<Image>,
    steps: Vec<Step>,
}

/// An image. An image written as a plain text has no known place.
#[derive(Default)]
struct Image(Option<Spanned<String>>);

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let short = |text| {
            let image = Some(Spanned::new(text, Location::UNKNOWN, Location::UNKNOWN));
            Ok(Named {
                image,
                ..Named::default()
            })
        };
        text_or(deserializer, "an image", short).map(|named| Self(named.image))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Step {
    id: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
    expect: Option<Expect>,
    r#do: Option<Do>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Expect {
    until: Option<Spanned<String>>,
}

/// The action of a step, reduced to the names in it.
struct Do(Action);

impl<'de> Deserialize<'de> for Do {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or(deserializer, "an action", |_| Ok(Action::default())).map(Self)
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Action {
    kind_cluster: Named,
    tool: Named,
    apply: Apply,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Named {
    name: Option<Spanned<String>>,
    image: Option<Spanned<String>>,
    version_arguments: Vec<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Apply {
    output: Output,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Output {
    of: Option<Spanned<String>>,
}

/// Returns an error for each invalid name in `text`, a `lab.yaml`. Returns nothing if the text has
/// another form.
pub(super) fn faults(text: &str) -> Vec<Fault> {
    let Ok(lab) = serde_saphyr::from_str::<Lab>(text) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let mut check = |name: Option<&Spanned<String>>, parse: fn(&str) -> Result<(), NameError>| {
        if let Some(name) = name
            && let Err(error) = parse(&name.value)
        {
            let text = at_place(LAB_FILE, text, name.referenced, &error.to_string());
            faults.push(Fault::new(text));
        }
    };
    let image = |text: &str| text.parse::<ImageRef>().map(drop);
    let step = |text: &str| text.parse::<StepId>().map(drop);
    let word = |text: &str| text.parse::<VersionWord>().map(drop);
    let tool = |text: &str| text.parse::<ToolName>().map(drop);
    for Image(name) in &lab.images {
        check(name.as_ref(), image);
    }
    for Step {
        id,
        until,
        expect,
        r#do,
    } in &lab.steps
    {
        check(id.as_ref(), step);
        check(until.as_ref(), step);
        check(expect.as_ref().and_then(|e| e.until.as_ref()), step);
        if let Some(Do(action)) = r#do {
            check(action.tool.name.as_ref(), tool);
            for written in &action.tool.version_arguments {
                check(Some(written), word);
            }
            check(action.apply.output.of.as_ref(), tool);
            check(action.kind_cluster.image.as_ref(), image);
        }
    }
    faults
}
