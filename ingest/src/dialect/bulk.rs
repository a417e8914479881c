//! Elasticsearch's bulk API: a line that says what to do, then a line with the document.
//!
//! Source: Elasticsearch 8, "Bulk API". A table of telemetry is appended to: `create` and `index` are the same, ids
//! are kept and nothing is looked up by them.

use super::{
    document::{Documents, Fields, Names},
    error::{DialectError, Fault},
    instant::Unit,
    record::{ATTRIBUTE, KEY, Records, TEXT, VALUE},
};
use crate::otlp::json::lex::{Lexer, Quoted};
use std::ops::Range;

const BULK: &str = "a bulk request";

/// The most actions of one request: each is answered by some 150 bytes.
const MAX_ITEMS: usize = 1 << 18;

/// What an item of the answer takes beside its names, in bytes: those that are refused are told why.
const ANSWER_BYTES: usize = 400;

const INDEX: &[u8] = b"elasticsearch.index";
const ID: &[u8] = b"elasticsearch.id";

/// What a sender of documents says beside them.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    /// The index of the path, for actions that name none; nothing in it has an escape in JSON.
    pub(crate) index: Option<String>,
}

/// Where a document that comes alone goes; nothing in these has an escape in JSON.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) action: Action,
    pub(crate) index: String,
    pub(crate) id: Option<String>,
}

/// What an action asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Index,
    Update,
    Delete,
}

/// The actions of a request, by the ordinals of their records, for the answer.
#[derive(Debug, Default)]
pub(crate) struct Items {
    items: Vec<Item>,
    /// Index and id of each, as they stand in JSON, without quotes.
    names: Vec<u8>,
}

#[derive(Debug)]
struct Item {
    action: Action,
    index: Range<usize>,
    id: Option<Range<usize>>,
}

/// What the first line of an action says.
struct Head<'j> {
    action: Action,
    index: Option<Quoted<'j>>,
    id: Option<Quoted<'j>>,
}

impl Action {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Index => "index",
            Action::Update => "update",
            Action::Delete => "delete",
        }
    }
}

impl Items {
    /// Action, index and id of each record; the latter as they stand in JSON, without quotes.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (Action, &[u8], Option<&[u8]>)> {
        self.items.iter().map(|item| {
            let id = item.id.clone().map(|id| &self.names[id]);
            (item.action, &self.names[item.index.clone()], id)
        })
    }

    fn push(
        &mut self,
        head: &Head<'_>,
        bulk: &Bulk,
        records: &mut Records<'_>,
    ) -> Result<(), DialectError> {
        if self.items.len() == MAX_ITEMS {
            return Err(DialectError::TooMany { limit: MAX_ITEMS });
        }
        let index = match (head.index, &bulk.index) {
            (Some(index), _) => index.raw,
            (None, Some(index)) => index.as_bytes(),
            (None, None) => b"",
        };
        let id_bytes = head.id.map_or(0, |id| id.raw.len());
        records.keep_answer(ANSWER_BYTES + index.len() + id_bytes)?;
        let index = self.name(index, records)?;
        let id = head.id.map(|id| self.name(id.raw, records)).transpose()?;
        let item = Item {
            action: head.action,
            index,
            id,
        };
        records.keep(&mut self.items, item)
    }

    /// Keeps a name; the index of one action is mostly that of the last.
    fn name(
        &mut self,
        name: &[u8],
        records: &mut Records<'_>,
    ) -> Result<Range<usize>, DialectError> {
        if let Some(last) = self.items.last()
            && &self.names[last.index.clone()] == name
        {
            return Ok(last.index.clone());
        }
        let start = self.names.len();
        records.keep_bytes(&mut self.names, name)?;
        Ok(start..self.names.len())
    }
}

/// Writes the documents of `text`; every action is a record, also one that cannot be done.
pub(super) fn write(
    text: &[u8],
    bulk: &Bulk,
    records: &mut Records<'_>,
) -> Result<Items, DialectError> {
    let fields = fields();
    let mut items = Items::default();
    let mut documents = Documents::new(&fields);
    let mut lines = (1_u32..)
        .zip(text.split(|byte| *byte == b'\n'))
        .map(|(number, line)| (number, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty());
    while let Some((number, line)) = lines.next() {
        let head = Head::read(line).map_err(|fault| at_line(number, fault))?;
        items.push(&head, bulk, records)?;
        if head.action == Action::Delete {
            records.add(line, |_| {
                Err(Fault::malformed(
                    "delete is not done: telemetry is appended only",
                ))
            })?;
            continue;
        }
        let Some((_, document)) = lines.next() else {
            let detail = format!("line {number}: the document of the last action is missing");
            return Err(DialectError::Malformed { what: BULK, detail });
        };
        records.add(document, |records| {
            write_document(&head, bulk, (document, &mut documents), records)
        })?;
    }
    Ok(items)
}

/// Writes the one document that `text` is.
pub(super) fn write_one(
    text: &[u8],
    to: &Document,
    records: &mut Records<'_>,
) -> Result<Items, DialectError> {
    let head = Head {
        action: to.action,
        index: Some(plain(to.index.as_bytes())),
        id: to.id.as_ref().map(|id| plain(id.as_bytes())),
    };
    let bulk = Bulk::default();
    let mut items = Items::default();
    items.push(&head, &bulk, records)?;
    let fields = fields();
    let mut documents = Documents::new(&fields);
    records.add(text, |records| {
        write_document(&head, &bulk, (text, &mut documents), records)
    })?;
    Ok(items)
}

/// The fields that mean something in a document, by ECS and by what shippers send.
fn fields() -> Fields {
    Fields {
        time: Names::Known(&["@timestamp"]),
        body: Names::Known(&["message", "log", "msg"]),
        severity: Names::Known(&["log.level", "level", "severity"]),
        unit: Unit::Millis,
        service: None,
    }
}

fn at_line(number: u32, fault: Fault) -> DialectError {
    match fault.of_request(BULK) {
        DialectError::Malformed { what, detail } => DialectError::Malformed {
            what,
            detail: format!("line {number}: {detail}"),
        },
        error => error,
    }
}

fn write_document(
    head: &Head<'_>,
    bulk: &Bulk,
    (document, documents): (&[u8], &mut Documents<'_>),
    records: &mut Records<'_>,
) -> Result<(), Fault> {
    if head.action == Action::Update {
        return Err(Fault::malformed(
            "update is not done: telemetry is appended only",
        ));
    }
    match (head.index, &bulk.index) {
        (Some(index), _) => attribute(INDEX, index, records)?,
        (None, Some(index)) => records.attribute(INDEX, index.as_bytes())?,
        (None, None) => return Err(Fault::malformed("index is missing")),
    }
    if let Some(id) = head.id {
        attribute(ID, id, records)?;
    }
    let mut lexer = Lexer::new(document);
    documents.write(&mut lexer, records)?;
    Ok(lexer.end()?)
}

fn attribute(name: &[u8], text: Quoted<'_>, records: &mut Records<'_>) -> Result<(), DialectError> {
    let attribute = records.begin(ATTRIBUTE)?;
    records.output.bytes(KEY, name)?;
    let value = records.begin(VALUE)?;
    records.output.text(TEXT, text)?;
    records.output.end(value)?;
    Ok(records.output.end(attribute)?)
}

impl<'j> Head<'j> {
    /// Reads `{"<action>": {"_index": …, "_id": …}}`.
    fn read(line: &'j [u8]) -> Result<Head<'j>, Fault> {
        let mut lexer = Lexer::new(line);
        if !lexer.take(b'{') || lexer.peek() != b'"' {
            return Err(lexer
                .unexpected("an action: create, index, update or delete")
                .into());
        }
        let action = match lexer.name()?.raw {
            b"create" => Action::Create,
            b"index" => Action::Index,
            b"update" => Action::Update,
            b"delete" => Action::Delete,
            other => {
                let other = String::from_utf8_lossy(&other[..other.len().min(64)]).into_owned();
                return Err(Fault::malformed(format!("{other:?} is no action")));
            }
        };
        let mut head = Head {
            action,
            index: None,
            id: None,
        };
        if !lexer.take(b'{') {
            return Err(lexer.unexpected("an object that says where to").into());
        }
        let mut is_first = true;
        while lexer.next(is_first, b'}')? {
            is_first = false;
            match lexer.name()?.raw {
                b"_index" => head.index = scalar(&mut lexer)?,
                b"_id" => head.id = scalar(&mut lexer)?,
                _ => lexer.skip()?,
            }
        }
        if !lexer.take(b'}') {
            return Err(lexer.unexpected("the end of the action").into());
        }
        lexer.end()?;
        Ok(head)
    }
}

/// A text, a number as its text, or null.
fn scalar<'j>(lexer: &mut Lexer<'j>) -> Result<Option<Quoted<'j>>, Fault> {
    match lexer.peek() {
        b'"' => Ok(Some(lexer.string()?)),
        b'n' => Ok(lexer.word("null").map(|()| None)?),
        b'-' | b'0'..=b'9' => Ok(Some(plain(lexer.number()?))),
        _ => Err(lexer.unexpected("a text or a number").into()),
    }
}

fn plain(raw: &[u8]) -> Quoted<'_> {
    Quoted {
        raw,
        escaped: false,
    }
}
