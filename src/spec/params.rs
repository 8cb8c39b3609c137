//! Parameters of a lab, the parts that depend on them, and the resolved lab once each parameter has
//! a value.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Build, ImageRef, Lab, name::NameError, validate::nearest};

/// The value of each parameter, by its name.
pub type Chosen = BTreeMap<String, String>;

/// A choice to make when an environment is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Param {
    /// One line that says what the choice decides.
    pub about: String,
    /// The possible values.
    pub choices: Vec<String>,
    /// The value if none is chosen.
    pub default: String,
}

/// The values with which a part of a lab exists. A part that names no parameter always exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct When(pub BTreeMap<String, OneOf>);

/// One or several allowed values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOf(pub Vec<String>);

/// An image that workloads use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its full name, with registry and tag.
    pub name: ImageRef,
    /// The nodes that need it.
    pub on: ImageOn,
    /// The values with which it is used.
    pub when: When,
    /// The way to build it if it is on no registry.
    pub build: Option<Build>,
}

/// The nodes whose Pods use an image. In a cluster without workers all Pods run on the control
/// plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageOn {
    /// The workers.
    #[default]
    Workers,
    /// The control plane, for Pods on the node whose ports are mapped.
    ControlPlane,
}

impl ImageOn {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl When {
    /// Tests whether the condition holds with all values.
    #[must_use]
    pub fn is_always(&self) -> bool {
        self.0.is_empty()
    }

    /// Tests whether the condition holds with these values. Ignores a parameter that does not
    /// exist; validation reports it.
    #[must_use]
    pub fn holds(&self, chosen: &Chosen) -> bool {
        let admits = |(name, values): (&String, &OneOf)| {
            let value = chosen.get(name);
            value.is_none_or(|value| values.0.contains(value))
        };
        self.0.iter().all(admits)
    }
}

impl fmt::Display for When {
    /// Writes the condition, for instance `ingress=traefik or gateway`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |(name, values): (&String, &OneOf)| format!("{name}={}", values.0.join(" or "));
        let all: Vec<String> = self.0.iter().map(of).collect();
        f.write_str(&all.join(", "))
    }
}

impl Lab {
    /// Returns the lab with only the steps and images that exist with these values.
    #[must_use]
    pub fn with(&self, chosen: &Chosen) -> Self {
        let mut lab = self.clone();
        lab.steps.retain(|step| step.when.holds(chosen));
        lab.images.retain(|image| image.when.holds(chosen));
        lab
    }

    /// Returns the default of each parameter.
    #[must_use]
    pub fn defaults(&self) -> Chosen {
        let default = |(name, param): (&String, &Param)| (name.clone(), param.default.clone());
        self.params.iter().map(default).collect()
    }

    /// Returns every combination of values, including the defaults.
    #[must_use]
    pub fn combinations(&self) -> Vec<Chosen> {
        let mut all = vec![Chosen::new()];
        for (name, param) in &self.params {
            // Validation reports a parameter without choices.
            let choices = match param.choices.as_slice() {
                [] => std::slice::from_ref(&param.default),
                choices => choices,
            };
            let with_each = |chosen: Chosen| {
                let with = move |value: &String| {
                    let mut chosen = chosen.clone();
                    chosen.insert(name.clone(), value.clone());
                    chosen
                };
                choices.iter().map(with)
            };
            all = all.into_iter().flat_map(with_each).collect();
        }
        all
    }

    /// Validates the choice `asked`. Returns a message for each unknown parameter and each invalid
    /// value.
    #[must_use]
    pub fn refuses(&self, asked: &Chosen) -> Vec<String> {
        let why = |(name, value): (&String, &String)| {
            let Some(param) = self.params.get(name) else {
                let near = nearest(name, self.params.keys());
                return Some(format!("lab {} has no parameter `{name}`{near}", self.lab));
            };
            let near = nearest(value, param.choices.iter());
            (!param.choices.contains(value)).then(|| format!("`{name}` cannot be `{value}`{near}"))
        };
        asked.iter().filter_map(why).collect()
    }
}

/// Formats the choice, for instance `ingress=traefik, size=small`.
#[must_use]
pub fn shown(chosen: &Chosen) -> String {
    let pairs: Vec<String> = chosen.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(", ")
}

/// A visitor for a value that is written either as a text or as a list or map.
struct TextOr<T>(&'static str, fn(String) -> Result<T, NameError>);

impl<'de, T: de::DeserializeOwned> de::Visitor<'de> for TextOr<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text.to_owned()).map_err(E::custom)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::deserialize(de::value::SeqAccessDeserializer::new(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(de::value::MapAccessDeserializer::new(map))
    }
}

/// Reads a value that is written either as a text, which `from` converts, or at length.
pub(in crate::spec) fn text_or<'de, T: de::DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
    from: fn(String) -> Result<T, NameError>,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(TextOr(expected, from))
}

impl<'de> Deserialize<'de> for OneOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or(deserializer, "a value, or a list of values", |one| {
            Ok(vec![one])
        })
        .map(Self)
    }
}

impl Serialize for OneOf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

/// An image, written at length.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ImageAtLength {
    image: ImageRef,
    #[serde(default, skip_serializing_if = "ImageOn::is_default")]
    on: ImageOn,
    #[serde(default, skip_serializing_if = "When::is_always")]
    when: When,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build: Option<Build>,
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let always = |image: String| {
            Ok(ImageAtLength {
                image: image.try_into()?,
                on: ImageOn::default(),
                when: When::default(),
                build: None,
            })
        };
        let wanted = "an image, or `image` with `on`, `when` or `build`";
        let ImageAtLength {
            image: name,
            on,
            when,
            build,
        } = text_or(deserializer, wanted, always)?;
        Ok(Self {
            name,
            on,
            when,
            build,
        })
    }
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.when.is_always() && self.on.is_default() && self.build.is_none() {
            return self.name.serialize(serializer);
        }
        let at_length = ImageAtLength {
            image: self.name.clone(),
            on: self.on,
            when: self.when.clone(),
            build: self.build.clone(),
        };
        at_length.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{LabTree, tree::LAB_FILE, yaml};

    fn lab(text: &str) -> Lab {
        let tree = LabTree {
            origin: "a test".into(),
            files: [(LAB_FILE.to_owned(), text.as_bytes().to_vec())].into(),
        };
        yaml::lab(&tree).unwrap()
    }

    const LAB: &str = "\
lab: t
title: T
level: beginner
time: 10m
params:
  ingress: {about: Which, choices: [nginx, traefik, gateway], default: nginx}
  size: {about: How large, choices: [small, large], default: small}
images:
- a:1
- {image: b:1, when: {ingress: [traefik, gateway]}}
steps:
- {id: a, title: A, do: observe}
- {id: b, title: B, do: observe, when: {ingress: [traefik, gateway], size: large}}
- {id: c, title: C, do: observe, when: {ingress: nginx}}
";

    fn chosen(ingress: &str, size: &str) -> Chosen {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        [pair("ingress", ingress), pair("size", size)].into()
    }

    fn ids(lab: &Lab) -> String {
        let names = lab.steps.iter().map(|s| s.id.as_str());
        let names = names.chain(lab.images.iter().map(|i| i.name.as_str()));
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_what_applies_is_left() {
        let lab = lab(LAB);
        assert_eq!(ids(&lab.with(&lab.defaults())), "a c a:1");
        assert_eq!(ids(&lab.with(&chosen("traefik", "small"))), "a a:1 b:1");
        assert_eq!(ids(&lab.with(&chosen("gateway", "large"))), "a b a:1 b:1");
    }

    #[test]
    fn every_combination_is_there_once() {
        let all = lab(LAB).combinations();
        assert_eq!(all.len(), 6);
        assert!(all.contains(&chosen("gateway", "small")), "{all:?}");
    }

    #[test]
    fn what_cannot_be_chosen_is_refused_all_at_once() {
        let lab = lab(LAB);
        let asked = [
            ("ingres", "nginx"),
            ("size", "larg"),
            ("ingress", "gateway"),
        ];
        let asked = asked.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        insta::assert_snapshot!(lab.refuses(&asked).join("\n"), @r"
        lab t has no parameter `ingres`; did you mean `ingress`?
        `size` cannot be `larg`; did you mean `large`?
        ");
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let lab = lab(LAB);
        let text = serde_json::to_string(&lab).unwrap();
        assert_eq!(serde_json::from_str::<Lab>(&text).unwrap(), lab);
        assert_eq!(
            lab.steps[1].when.to_string(),
            "ingress=traefik or gateway, size=large"
        );
    }
}
