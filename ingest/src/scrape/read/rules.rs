//! `relabel_configs` and `metric_relabel_configs`.

use crate::scrape::{
    relabel::{Action, Rule, whole},
    yaml::{Node, Wrong},
};

type Read<T> = Result<T, Wrong>;

/// What a rule says, as far as it says it.
struct Said {
    action: Action,
    source_labels: Option<Vec<String>>,
    separator: Option<String>,
    target_label: Option<String>,
    regex: Option<Node>,
    modulus: Option<u64>,
    replacement: Option<String>,
}

/// The rules of a list.
pub(super) fn read(node: Node) -> Read<Vec<Rule>> {
    node.list()?.into_iter().map(rule).collect()
}

fn rule(node: Node) -> Read<Rule> {
    let mut fields = node.fields("a relabeling rule")?;
    let action = fields.read("action", action)?.unwrap_or(Action::Replace);
    let said = Said {
        action,
        source_labels: fields.read("source_labels", Node::texts)?,
        separator: fields.read("separator", Node::text)?,
        target_label: fields.read("target_label", Node::text)?,
        regex: fields.take("regex"),
        modulus: fields.read("modulus", Node::number)?,
        replacement: fields.read("replacement", Node::text)?,
    };
    if let Some(fault) = said.fault() {
        return Err(fields.wrong(format!("the action {} {fault}", action.name())));
    }
    fields.end(|_| None)?;
    let pattern = match said.regex {
        None => "(.*)".to_string(),
        Some(node) => {
            let (place, text) = (node.place, node.text()?);
            whole(&text).map_err(|why| place.wrong(format!("regex: {why}")))?;
            text
        }
    };
    let pattern = whole(&pattern).expect("it was built above, or is the one that takes all");
    Ok(Rule {
        source_labels: said.source_labels.unwrap_or_default(),
        separator: said.separator.unwrap_or_else(|| ";".to_string()),
        target_label: said.target_label.unwrap_or_default(),
        pattern,
        modulus: said.modulus.unwrap_or_default(),
        replacement: said.replacement.unwrap_or_else(|| "$1".to_string()),
        action,
    })
}

fn action(node: Node) -> Read<Action> {
    let place = node.place;
    let name = node.text()?;
    Action::parse(&name).ok_or_else(|| place.wrong(format!("the action {name:?} is not known")))
}

impl Said {
    /// What Prometheus, too, does not take.
    fn fault(&self) -> Option<&'static str> {
        let has_target = self
            .target_label
            .as_deref()
            .is_some_and(|name| !name.is_empty());
        let says_value = self.replacement.is_some();
        match self.action {
            Action::HashMod if self.modulus.unwrap_or(0) == 0 => {
                Some("needs a modulus of at least 1")
            }
            Action::Replace | Action::HashMod if !has_target => Some("needs a target_label"),
            Action::Lowercase | Action::Uppercase if !has_target => Some("needs a target_label"),
            Action::Lowercase | Action::Uppercase if says_value => Some("takes no replacement"),
            Action::KeepEqual | Action::DropEqual => {
                let others = self.regex.is_some()
                    || self.separator.is_some()
                    || self.modulus.is_some()
                    || says_value;
                match (has_target, others) {
                    (false, _) => Some("needs a target_label"),
                    (true, true) => Some("takes source_labels and target_label only"),
                    (true, false) => None,
                }
            }
            Action::LabelDrop | Action::LabelKeep => {
                let others = self.source_labels.is_some()
                    || self.target_label.is_some()
                    || self.separator.is_some()
                    || self.modulus.is_some()
                    || says_value;
                others.then_some("takes a regex only")
            }
            _ => None,
        }
    }
}
