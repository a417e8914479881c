//! OTLP/JSON to OTLP/protobuf: one walk over the text, before anything else looks at the request.
//!
//! So JSON means by construction what the same message means as protobuf: one decoder, one write-ahead log, one way
//! to tell a retry. What the text cannot be read as refuses the whole request, with its place; what the records in it
//! are worth is the decoder's to say. Source: OTLP 1.11 "JSON Protobuf Encoding", and proto3's JSON mapping.
//!
//! The flow: `lex` reads the text - [`Transcoder`] follows `schema` down and up - `scalar` reads single values -
//! `output` writes.
//!
//! - Names are lowerCamelCase. Any other member is skipped, of whatever depth; the first is remembered, in case nothing
//!   else was sent.
//! - `null` is as good as absent; in a list it is the default value.
//! - Members that stand twice mean what fields that stand twice mean in protobuf: the last scalar and the last member
//!   of a oneof win, lists go on, messages merge.
//! - Nothing recurses. Containers of attribute values below the depth that the decoder stores are written empty: one
//!   level more is enough for it to reject the record.
//! - Nothing is allocated by a number in the text. The output has the limit of the request.

pub(crate) mod error;
pub(crate) mod lex;
pub(crate) mod number;
pub(crate) mod output;
mod scalar;
mod schema;

pub use error::JsonError;

use self::{
    error::{Result, Stop},
    lex::{Lexer, own_bytes},
    output::{Begun, Output},
    schema::{Field, Kind, Message},
};
use super::value::MAX_DEPTH;
use cairn_storage::{budget::Reservation, signal::Signal};

/// Containers this deep are rare, and long ones would be moved once a level: they get their full width at once.
const WIDE_DEPTH: usize = 8;

/// Bytes of a sender's text that an error or warning shows.
const SHOWN_BYTES: usize = 64;

/// Fields that the path in an error shows, the innermost ones.
const SHOWN_FIELDS: usize = 8;

/// A request as protobuf.
#[derive(Debug)]
pub struct Transcoded {
    pub payload: Vec<u8>,
    /// What to tell the client if the request turns out to hold nothing: which member was not understood.
    pub notice: Option<String>,
}

/// Turns the OTLP/JSON text of a request of `signal` into protobuf of at most `limit_bytes`, paid from `memory`, which
/// holds afterwards what the payload takes.
///
/// `dead_letters` are no signal that is sent; they read as an empty request.
pub fn transcode(
    signal: Signal,
    json: &[u8],
    limit_bytes: u64,
    memory: &mut Reservation,
) -> std::result::Result<Transcoded, JsonError> {
    let limit_bytes = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    let own_bytes = own_bytes(json.len()) as u64;
    memory.grow(own_bytes).map_err(JsonError::Memory)?;
    let request = match signal {
        Signal::Logs | Signal::DeadLetters => Message::LogsRequest,
        Signal::Metrics => Message::MetricsRequest,
        Signal::Spans => Message::TraceRequest,
    };
    Output::new(json.len(), limit_bytes, memory)
        .and_then(|output| Transcoder::new(json, request, output).run())
        .map_err(|stop| stop.of(json, limit_bytes))
}

/// Where the walk is: in a message or in a list of messages.
#[derive(Debug, Clone, Copy)]
struct Level {
    inside: Inside,
    /// The field that this is the value of; none for the request itself.
    field: Option<&'static Field>,
    /// The message's place in the output.
    begun: Option<Begun>,
    /// Where the name is likely to be found that comes next.
    likely: usize,
    is_first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Message(Message),
    List(Message),
}

struct Transcoder<'j, 'm> {
    lexer: Lexer<'j>,
    output: Output<'m>,
    /// What is open around `top`: at most a few hundred, since containers are read to a depth only.
    levels: Vec<Level>,
    top: Level,
    /// Arrays and maps of attribute values inside each other.
    depth: usize,
    unknown: Option<Unknown>,
}

/// A member that was skipped.
struct Unknown {
    name: String,
    /// The field of the same name in lowerCamelCase.
    meant: Option<&'static str>,
}

impl Level {
    fn new(inside: Inside, field: Option<&'static Field>, begun: Option<Begun>) -> Level {
        Level {
            inside,
            field,
            begun,
            likely: 0,
            is_first: true,
        }
    }
}

impl<'j, 'm> Transcoder<'j, 'm> {
    fn new(json: &'j [u8], request: Message, output: Output<'m>) -> Transcoder<'j, 'm> {
        Transcoder {
            lexer: Lexer::new(json),
            output,
            levels: Vec::new(),
            top: Level::new(Inside::Message(request), None, None),
            depth: 0,
            unknown: None,
        }
    }

    fn run(mut self) -> Result<Transcoded> {
        if !self.lexer.take(b'{') {
            return Err(self.lexer.unexpected("an object, as every request is one"));
        }
        loop {
            let goes_on = match self.top.inside {
                Inside::Message(message) => self.member(message)?,
                Inside::List(message) => self.element(message)?,
            };
            if !goes_on && !self.leave()? {
                break;
            }
        }
        self.lexer.end()?;
        Ok(Transcoded {
            notice: self.unknown.map(|unknown| unknown.notice()),
            payload: self.output.finish(),
        })
    }

    /// Reads a member of the open message; false at its end.
    #[inline]
    fn member(&mut self, message: Message) -> Result<bool> {
        if !self.lexer.next(self.top.is_first, b'}')? {
            return Ok(false);
        }
        self.top.is_first = false;
        let name = self.lexer.name()?;
        let name = self.output.aside(name)?;
        let fields = message.fields();
        match find(fields, self.top.likely, &name) {
            Some(index) => {
                self.top.likely = index + 1;
                self.value(&fields[index])?;
            }
            None => {
                self.note_unknown(fields, &name);
                self.lexer.skip()?;
            }
        }
        Ok(true)
    }

    /// Reads a message of the open list; false at its end.
    #[inline]
    fn element(&mut self, message: Message) -> Result<bool> {
        if !self.lexer.next(self.top.is_first, b']')? {
            return Ok(false);
        }
        self.top.is_first = false;
        if let Some(field) = self.top.field {
            if self.lexer.peek() == b'n' {
                self.lexer.word("null")?;
                self.output.bytes(field.number, &[])?;
            } else {
                self.enter(field, message)?;
            }
        }
        Ok(true)
    }

    /// Reads the value of a field, or enters it.
    #[inline]
    fn value(&mut self, field: &'static Field) -> Result<()> {
        if self.lexer.peek() == b'n' {
            return self.lexer.word("null");
        }
        match field.kind {
            Kind::One(message) => self.enter(field, message),
            Kind::Many(message) => {
                if !self.lexer.take(b'[') {
                    return Err(self.other_type(field, "an array"));
                }
                self.push(Level::new(Inside::List(message), Some(field), None));
                Ok(())
            }
            _ => self.scalar(field),
        }
    }

    /// Enters a message.
    fn enter(&mut self, field: &'static Field, message: Message) -> Result<()> {
        if self.lexer.peek() != b'{' {
            return Err(self.other_type(field, "an object"));
        }
        if message.is_container() {
            if self.depth == MAX_DEPTH {
                self.output.bytes(field.number, &[])?;
                return self.lexer.skip();
            }
            self.depth += 1;
        }
        self.lexer.take(b'{');
        let is_wide = message.is_group() || self.depth > WIDE_DEPTH;
        let begun = self.output.begin(field.number, is_wide)?;
        self.push(Level::new(
            Inside::Message(message),
            Some(field),
            Some(begun),
        ));
        Ok(())
    }

    fn push(&mut self, level: Level) {
        self.levels.push(std::mem::replace(&mut self.top, level));
    }

    /// Leaves the message or list that has ended; false if it was the request.
    #[inline]
    fn leave(&mut self) -> Result<bool> {
        if let Some(begun) = self.top.begun {
            self.output.end(begun)?;
        }
        if let Inside::Message(message) = self.top.inside
            && message.is_container()
        {
            self.depth -= 1;
        }
        let Some(outer) = self.levels.pop() else {
            return Ok(false);
        };
        self.top = outer;
        Ok(true)
    }

    /// Remembers the first unknown member, and rather one that only its spelling makes unknown.
    #[cold]
    fn note_unknown(&mut self, fields: &'static [Field], name: &[u8]) {
        if self
            .unknown
            .as_ref()
            .is_some_and(|first| first.meant.is_some())
        {
            return;
        }
        let is_same = |field: &&Field| is_same_but_for_spelling(field.name, name);
        let meant = fields.iter().find(is_same).map(|field| field.name);
        if self.unknown.is_none() || meant.is_some() {
            let name = shown(name);
            self.unknown = Some(Unknown { name, meant });
        }
    }

    /// An error at the value of `field`, which comes next and is not `wanted`.
    #[cold]
    fn other_type(&mut self, field: &Field, wanted: &str) -> Box<Stop> {
        let wanted = format!("{wanted} for {}", self.path(field));
        self.lexer.unexpected(&wanted)
    }

    /// An error at byte `offset`, in the value of `field`.
    #[cold]
    fn wrong(&self, offset: usize, field: &Field, what: &str) -> Box<Stop> {
        Stop::at(offset, format!("{}: {what}", self.path(field)))
    }

    /// The names of the fields down to `field`, the innermost ones of many.
    fn path(&self, field: &Field) -> String {
        let above = self.levels.iter().chain([&self.top]);
        // The messages of a list are the values of the field that the list is the value of.
        let lists_and_singles = above.filter(|level| match level.field.map(|field| field.kind) {
            Some(Kind::Many(_)) => matches!(level.inside, Inside::List(_)),
            _ => true,
        });
        let mut names: Vec<&str> = lists_and_singles
            .filter_map(|level| level.field)
            .map(|field| field.name)
            .collect();
        if let Inside::Message(_) = self.top.inside {
            names.push(field.name);
        }
        let cut = names.len().saturating_sub(SHOWN_FIELDS);
        let path = names[cut..].join(".");
        if cut > 0 { format!("….{path}") } else { path }
    }
}

impl Unknown {
    fn notice(&self) -> String {
        let advice = match self.meant {
            Some(meant) => format!("send {meant:?}"),
            None => "is this the path of its signal?".to_string(),
        };
        format!(
            "nothing was stored: {:?} is no field of OTLP/JSON here and was ignored; {advice}",
            self.name
        )
    }
}

/// The index of the field `name`, looked for from `likely` on: senders keep to an order.
#[inline]
fn find(fields: &[Field], likely: usize, name: &[u8]) -> Option<usize> {
    let is_name = |field: &Field| field.name.as_bytes() == name;
    let likely = likely.min(fields.len());
    match fields[likely..].iter().position(is_name) {
        Some(index) => Some(likely + index),
        None => fields[..likely].iter().position(is_name),
    }
}

/// Whether a name is that of a field in snake_case, or in other capitals.
fn is_same_but_for_spelling(field: &str, name: &[u8]) -> bool {
    let letters = name.iter().filter(|byte| **byte != b'_');
    let lower = |byte: &u8| byte.to_ascii_lowercase();
    letters.map(lower).eq(field.as_bytes().iter().map(lower))
}

/// A sender's text for an error, cut.
fn shown(text: &[u8]) -> String {
    let text = &text[..text.len().min(SHOWN_BYTES)];
    String::from_utf8_lossy(text).into_owned()
}
