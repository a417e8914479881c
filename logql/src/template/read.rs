//! The text of a template -> its nodes.

mod parts;
mod words;

use super::{functions::Function, value::Value};
use std::collections::BTreeSet;

/// A piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    Output(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
}

/// A condition, or what is looped over, and what follows.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands, each of which gets the answer of the one before as its last argument.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipe {
    /// The variables that take the answer, without the dollar.
    pub(super) variables: Vec<String>,
    /// `:=` makes new variables, `=` sets old ones.
    pub(super) declares: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Debug, Clone)]
pub(super) enum Operand {
    Value(Value),
    Dot,
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(&'static Function),
    Group(Pipe, Vec<String>),
}

/// How deep blocks and parentheses may be.
const DEPTH: usize = 32;

/// Reads a template.
pub(super) fn read(text: &str) -> Result<Vec<Node>, String> {
    let parts = parts::parts(text)?;
    let mut reader = Reader {
        parts: &parts,
        next: 0,
    };
    let (nodes, end) = reader.block(0)?;
    match end {
        End::Text => Ok(nodes),
        End::Block => Err("{{end}} without a beginning".to_string()),
        End::Else(_) => Err("{{else}} without {{if}}, {{with}} or {{range}}".to_string()),
    }
}

/// What ended a block; after `else` the rest of its action.
enum End<'a> {
    Text,
    Block,
    Else(&'a [words::Word]),
}

struct Reader<'a> {
    parts: &'a [parts::Part],
    next: usize,
}

impl<'a> Reader<'a> {
    fn block(&mut self, depth: usize) -> Result<(Vec<Node>, End<'a>), String> {
        if depth > DEPTH {
            return Err(format!("more than {DEPTH} blocks in each other"));
        }
        let mut nodes = Vec::new();
        while let Some(part) = self.parts.get(self.next) {
            self.next += 1;
            let words = match part {
                parts::Part::Text(text) => {
                    nodes.push(Node::Text(text.clone()));
                    continue;
                }
                parts::Part::Action(words) => words.as_slice(),
            };
            let keyword = match words.first() {
                Some(words::Word::Name(name)) => name.as_str(),
                _ => "",
            };
            let node = match keyword {
                "end" if words.len() == 1 => return Ok((nodes, End::Block)),
                "else" => return Ok((nodes, End::Else(&words[1..]))),
                "if" => Node::If(self.branch(&words[1..], depth)?),
                "with" => Node::With(self.branch(&words[1..], depth)?),
                "range" => Node::Range(self.branch(&words[1..], depth)?),
                "break" if words.len() == 1 => Node::Break,
                "continue" if words.len() == 1 => Node::Continue,
                "define" | "template" | "block" => {
                    return Err(format!("{{{{{keyword}}}}} is not supported"));
                }
                _ => Node::Output(words::pipe(words)?),
            };
            nodes.push(node);
        }
        Ok((nodes, End::Text))
    }

    fn branch(&mut self, words: &[words::Word], depth: usize) -> Result<Branch, String> {
        let pipe = words::pipe(words)?;
        let (body, end) = self.block(depth + 1)?;
        let otherwise = match end {
            End::Text => return Err("{{end}} is missing".to_string()),
            End::Block => Vec::new(),
            End::Else([]) => match self.block(depth + 1)? {
                (nodes, End::Block) => nodes,
                _ => return Err("{{end}} is missing after {{else}}".to_string()),
            },
            End::Else([words::Word::Name(name), rest @ ..]) if name == "if" => {
                vec![Node::If(self.branch(rest, depth + 1)?)]
            }
            End::Else([words::Word::Name(name), rest @ ..]) if name == "with" => {
                vec![Node::With(self.branch(rest, depth + 1)?)]
            }
            End::Else(_) => {
                return Err(
                    "only {{else}}, {{else if …}} and {{else with …}} are known".to_string()
                );
            }
        };
        Ok(Branch {
            pipe,
            body,
            otherwise,
        })
    }
}

impl Node {
    /// Collects the labels that are named; false if all labels are looked at.
    pub(super) fn collect_labels<'a>(&'a self, found: &mut BTreeSet<&'a str>) -> bool {
        match self {
            Node::Text(_) | Node::Break | Node::Continue => true,
            Node::Output(pipe) => pipe.collect_labels(found),
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                let nodes = branch.body.iter().chain(&branch.otherwise);
                let mut all_named = branch.pipe.collect_labels(found);
                for node in nodes {
                    all_named &= node.collect_labels(found);
                }
                all_named
            }
        }
    }
}

impl Pipe {
    fn collect_labels<'a>(&'a self, found: &mut BTreeSet<&'a str>) -> bool {
        let mut all_named = true;
        for operand in self.commands.iter().flatten() {
            match operand {
                Operand::Field(path) => found.extend(path.first().map(String::as_str)),
                Operand::Variable(name, path) if name.is_empty() => match path.first() {
                    Some(label) => drop(found.insert(label)),
                    None => all_named = false,
                },
                Operand::Group(pipe, _) => all_named &= pipe.collect_labels(found),
                // Within `range` and `with` the dot is something else, and it does no harm to look at all labels.
                Operand::Dot => all_named = false,
                Operand::Value(_) | Operand::Variable(..) | Operand::Function(_) => {}
            }
        }
        all_named
    }
}
