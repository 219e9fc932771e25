//! What a fence agent says about its parameters (`-o metadata`, the resource agents' XML).

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// A parameter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameter {
    required: bool,
    has_default: bool,
    deprecated: bool,
    /// The older name of the same thing.
    obsoletes: Option<String>,
    kind: String,
    /// What a `select` may be.
    options: Vec<String>,
    /// How it is written on a command line: the same for two names of one thing.
    option: String,
}

/// An agent's parameters, by name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata(BTreeMap<String, Parameter>);

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(name).ok().flatten()?;
    let text = std::str::from_utf8(&attribute.value).ok()?;
    quick_xml::escape::unescape(text).ok().map(|text| text.into_owned())
}

impl Metadata {
    /// `None`: it is no such description.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let mut parameters = BTreeMap::new();
        let mut current: Option<(String, Parameter)> = None;
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                    b"parameter" => {
                        let parameter = Parameter {
                            required: attribute(&tag, "required").as_deref() == Some("1"),
                            deprecated: attribute(&tag, "deprecated").as_deref() == Some("1"),
                            obsoletes: attribute(&tag, "obsoletes"),
                            ..Parameter::default()
                        };
                        current = Some((attribute(&tag, "name")?, parameter));
                    }
                    b"getopt" => {
                        if let Some((_, parameter)) = &mut current {
                            parameter.option = attribute(&tag, "mixed").unwrap_or_default();
                        }
                    }
                    b"content" => {
                        if let Some((_, parameter)) = &mut current {
                            parameter.kind = attribute(&tag, "type").unwrap_or_default();
                            parameter.has_default = attribute(&tag, "default").is_some();
                        }
                    }
                    b"option" => {
                        if let (Some((_, parameter)), Some(value)) = (&mut current, attribute(&tag, "value"))
                        {
                            parameter.options.push(value);
                        }
                    }
                    _ => {}
                },
                Event::End(tag) if tag.name().as_ref() == b"parameter" => {
                    parameters.extend(current.take());
                }
                Event::Eof => break,
                _ => {}
            }
        }
        if parameters.is_empty() { None } else { Some(Self(parameters)) }
    }

    /// Compares what is given (`None`: a secret) with what there is. Names the first that is wrong, and how.
    pub(super) fn check(&self, given: &BTreeMap<&str, Option<&str>>) -> Result<(), (String, &'static str)> {
        for (name, value) in given {
            let parameter = self.0.get(*name).ok_or_else(|| ((*name).to_owned(), "unknown"))?;
            if let Some(value) = value
                && !parameter.takes(value)
            {
                return Err(((*name).to_owned(), "value"));
            }
        }
        let required = self.0.iter().filter(|(name, parameter)| {
            // Old names are listed as required, too, and the action is sfha's to say.
            parameter.required && !parameter.has_default && !parameter.deprecated && name.as_str() != "action"
        });
        for (name, parameter) in required {
            let same = |other: &&str| {
                let known = self.0.get(*other);
                *other == name
                    || parameter.obsoletes.as_deref() == Some(*other)
                    || known.is_some_and(|known| !known.option.is_empty() && known.option == parameter.option)
            };
            if !given.keys().any(same) {
                return Err((name.clone(), "missing"));
            }
        }
        Ok(())
    }
}

impl Parameter {
    fn takes(&self, value: &str) -> bool {
        match self.kind.as_str() {
            "integer" | "second" => value.parse::<i64>().is_ok(),
            "boolean" => ["0", "1", "true", "false", "yes", "no", "on", "off"]
                .contains(&value.to_ascii_lowercase().as_str()),
            "select" => self.options.iter().any(|option| option == value),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"<?xml version="1.0" ?>
<resource-agent name="fence_x" shortdesc="X">
<longdesc>Anything &amp; more.</longdesc>
<parameters>
<parameter name="action" unique="0" required="1"><getopt mixed="-o"/><content type="string"/></parameter>
<parameter name="ip" required="1" obsoletes="ipaddr"><getopt mixed="-a"/><content type="string"/></parameter>
<parameter name="ipaddr" required="1" deprecated="1"><getopt mixed="-a"/><content type="string"/></parameter>
<parameter name="ipport" required="0"><content type="integer" default="623"/></parameter>
<parameter name="ssl" required="1"><content type="boolean" default="1"/></parameter>
<parameter name="auth"><content type="select"><option value="md5"/><option value="none"/></content></parameter>
</parameters></resource-agent>"#;

    fn check(given: &[(&str, &str)]) -> Result<(), (String, &'static str)> {
        let given = given.iter().map(|(name, value)| (*name, Some(*value))).collect();
        Metadata::parse(TEXT).unwrap().check(&given)
    }

    #[test]
    fn parameters_are_checked_by_the_agents_own_word() {
        let wrong = |name: &str, reason| Err((name.to_owned(), reason));
        assert_eq!(check(&[("ip", "10.0.0.9")]), Ok(()));
        assert_eq!(check(&[("ipaddr", "10.0.0.9")]), Ok(()), "the old name does as well");
        assert_eq!(check(&[]), wrong("ip", "missing"));
        assert_eq!(check(&[("ip", "x"), ("ipprt", "1")]), wrong("ipprt", "unknown"));
        assert_eq!(check(&[("ip", "x"), ("ipport", "6x23")]), wrong("ipport", "value"));
        assert_eq!(check(&[("ip", "x"), ("ssl", "perhaps")]), wrong("ssl", "value"));
        assert_eq!(check(&[("ip", "x"), ("auth", "md4")]), wrong("auth", "value"));
        assert_eq!(check(&[("ip", "x"), ("auth", "md5"), ("ssl", "1"), ("ipport", "1")]), Ok(()));
    }

    #[test]
    fn what_is_no_description_is_none() {
        for text in ["", "Traceback (most recent call last):", "<a><b></a>", "<resource-agent/>"] {
            assert_eq!(Metadata::parse(text), None, "{text}");
        }
    }
}
