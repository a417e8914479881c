//! Runs the nodes of a template.

use super::{
    functions::{self, Context},
    read::{Branch, Node, Operand, Pipe},
    value::Value,
};
use crate::limits;
use std::fmt::Write;

/// What goes on after a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Run<'a, 'o> {
    context: Context<'a>,
    output: &'o mut String,
    /// The longest that the output may become.
    most: usize,
    steps: usize,
    /// Variables, the newest last.
    variables: Vec<(String, Value)>,
}

pub(super) fn run(nodes: &[Node], context: Context<'_>, output: &mut String) -> Result<(), String> {
    let most = output.len() + limits::TEMPLATE_BYTES;
    let mut run = Run {
        context,
        output,
        most,
        steps: 0,
        variables: Vec::new(),
    };
    run.nodes(nodes, &Value::Labels).map(drop)
}

impl Run<'_, '_> {
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        match self.steps > limits::TEMPLATE_STEPS {
            true => Err(format!(
                "a template runs at most {} steps",
                limits::TEMPLATE_STEPS
            )),
            false => Ok(()),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        if self.output.len() + text.len() > self.most {
            return Err(format!(
                "a template writes at most {} bytes",
                limits::TEMPLATE_BYTES
            ));
        }
        self.output.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, String> {
        let kept = self.variables.len();
        for node in nodes {
            self.step()?;
            let flow = match node {
                Node::Text(text) => self.write(text).map(|()| Flow::On)?,
                Node::Output(pipe) => self.output(pipe, dot).map(|()| Flow::On)?,
                Node::If(branch) => self.condition(branch, dot, false)?,
                Node::With(branch) => self.condition(branch, dot, true)?,
                Node::Range(branch) => self.range(branch, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::On {
                self.variables.truncate(kept);
                return Ok(flow);
            }
        }
        self.variables.truncate(kept);
        Ok(Flow::On)
    }

    fn output(&mut self, pipe: &Pipe, dot: &Value) -> Result<(), String> {
        // The most frequent action, `{{ .label }}`, goes without a copy of the value.
        if let ([command], [], Value::Labels) = (&pipe.commands[..], &pipe.variables[..], dot)
            && let [Operand::Field(path)] = &command[..]
            && let [name] = &path[..]
        {
            let label = self.context.input.label(name);
            return self.write(label);
        }
        let value = self.pipe(pipe, dot)?;
        if !pipe.variables.is_empty() {
            return self.assign(pipe, vec![value]);
        }
        match value {
            Value::Text(text) => self.write(&text),
            Value::Labels => self.write(&functions::all_labels(&self.context).to_string()),
            value => {
                let mut text = String::new();
                write!(text, "{value}").map_err(|error| error.to_string())?;
                self.write(&text)
            }
        }
    }

    /// Gives values to the variables of a pipe.
    fn assign(&mut self, pipe: &Pipe, values: Vec<Value>) -> Result<(), String> {
        for (name, value) in pipe.variables.iter().zip(values) {
            if pipe.declares {
                self.variables.push((name.clone(), value));
                continue;
            }
            let found = self
                .variables
                .iter_mut()
                .rev()
                .find(|(known, _)| known == name);
            found
                .ok_or_else(|| format!("the variable ${name} is not defined"))?
                .1 = value;
        }
        Ok(())
    }

    fn condition(&mut self, branch: &Branch, dot: &Value, is_with: bool) -> Result<Flow, String> {
        let kept = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        self.assign(&branch.pipe, vec![value.clone()])?;
        let flow = match (value.is_true(), is_with) {
            (true, true) => self.nodes(&branch.body, &value),
            (true, false) => self.nodes(&branch.body, dot),
            (false, _) => self.nodes(&branch.otherwise, dot),
        };
        self.variables.truncate(kept);
        flow
    }

    fn range(&mut self, branch: &Branch, dot: &Value) -> Result<Flow, String> {
        let items: Vec<(Value, Value)> = match self.pipe(&branch.pipe, dot)? {
            Value::List(items) => {
                let numbered = items.into_iter().zip(0..);
                numbered.map(|(item, at)| (Value::Int(at), item)).collect()
            }
            Value::Map(entries) => entries
                .into_iter()
                .map(|(key, value)| (Value::Text(key), value))
                .collect(),
            Value::Labels => match functions::all_labels(&self.context) {
                Value::Map(entries) => entries
                    .into_iter()
                    .map(|(key, value)| (Value::Text(key), value))
                    .collect(),
                _ => Vec::new(),
            },
            Value::Int(count) => (0..count.clamp(0, limits::TEMPLATE_STEPS as i64 + 1))
                .map(|at| (Value::Int(at), Value::Int(at)))
                .collect(),
            Value::Nil => Vec::new(),
            other => return Err(format!("range can't iterate over {}", other.kind())),
        };
        if items.is_empty() {
            return self.nodes(&branch.otherwise, dot);
        }
        for (key, item) in items {
            self.step()?;
            let kept = self.variables.len();
            let values = match branch.pipe.variables.len() {
                2 => vec![key, item.clone()],
                _ => vec![item.clone()],
            };
            self.assign(&branch.pipe, values)?;
            let flow = self.nodes(&branch.body, &item)?;
            self.variables.truncate(kept);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, String> {
        let mut value = None;
        for command in &pipe.commands {
            self.step()?;
            value = Some(self.command(command, value, dot)?);
        }
        Ok(value.unwrap_or(Value::Nil))
    }

    fn command(
        &mut self,
        command: &[Operand],
        piped: Option<Value>,
        dot: &Value,
    ) -> Result<Value, String> {
        let Operand::Function(function) = &command[0] else {
            return self.operand(&command[0], dot);
        };
        let mut arguments = Vec::with_capacity(command.len());
        for operand in &command[1..] {
            let value = self.operand(operand, dot)?;
            if functions::decides(function.name, &value) {
                return Ok(value);
            }
            arguments.push(value);
        }
        arguments.extend(piped);
        self.call(function, &arguments)
    }

    fn call(
        &mut self,
        function: &functions::Function,
        arguments: &[Value],
    ) -> Result<Value, String> {
        let name = function.name;
        if arguments.len() < function.least || arguments.len() > function.most {
            let wanted = function.least;
            return Err(format!(
                "wrong number of args for {name}: want {wanted} got {}",
                arguments.len()
            ));
        }
        (function.call)(&mut self.context, arguments)
            .map_err(|detail| format!("error calling {name}: {detail}"))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        match operand {
            Operand::Value(value) => Ok(value.clone()),
            Operand::Dot => Ok(dot.clone()),
            Operand::Field(path) => self.fields(dot.clone(), path),
            Operand::Variable(name, path) if name.is_empty() => self.fields(Value::Labels, path),
            Operand::Variable(name, path) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = found.map(|(_, value)| value.clone());
                self.fields(
                    value.ok_or_else(|| format!("the variable ${name} is not defined"))?,
                    path,
                )
            }
            Operand::Function(function) => self.call(function, &[]),
            Operand::Group(pipe, path) => {
                let value = self.pipe(pipe, dot)?;
                self.fields(value, path)
            }
        }
    }

    fn fields(&self, value: Value, path: &[String]) -> Result<Value, String> {
        path.iter().try_fold(value, |value, name| match value {
            Value::Labels => Ok(Value::Text(self.context.input.label(name).to_string())),
            Value::Map(mut entries) => Ok(entries.remove(name).unwrap_or(Value::Nil)),
            Value::Nil => Err(format!("nil has no field {name}")),
            other => Err(format!(
                "can't evaluate field {name} in type {}",
                other.kind()
            )),
        })
    }
}
