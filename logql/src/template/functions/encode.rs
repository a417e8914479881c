//! Functions that encode and decode.

use super::{Context, Function, of_text, text_of};
use crate::template::value::Value;
use base64::{Engine, engine::general_purpose::STANDARD};

type Answer = Result<Value, String>;

const fn function(name: &'static str, call: fn(&mut Context<'_>, &[Value]) -> Answer) -> Function {
    Function {
        name,
        least: 1,
        most: 1,
        call,
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    function("b64enc", |_, a| of_text(STANDARD.encode(text_of(a, 0)?))),
    // As in sprig the message of a failure is the answer.
    function("b64dec", |_, a| {
        of_text(match STANDARD.decode(text_of(a, 0)?) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => error.to_string(),
        })
    }),
    function("urlencode", |_, a| of_text(urlencode(text_of(a, 0)?))),
    function("urlquery", |_, a| of_text(urlencode(&a[0].to_string()))),
    function("urldecode", |_, a| urldecode(text_of(a, 0)?)),
    function("fromJson", |_, a| {
        let decoded = serde_json::from_str(text_of(a, 0)?);
        Ok(decoded.map_or(Value::Nil, Value::of_json))
    }),
    function("html", |_, a| of_text(html(&a[0].to_string()))),
];

fn urlencode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn urldecode(text: &str) -> Answer {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => decoded.push(b' '),
            b'%' => {
                let digits = text
                    .get(at + 1..at + 3)
                    .filter(|digits| !digits.starts_with('+'));
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                decoded.push(byte.ok_or_else(|| format!("invalid URL escape in {text:?}"))?);
                at += 2;
            }
            byte => decoded.push(byte),
        }
        at += 1;
    }
    of_text(String::from_utf8_lossy(&decoded))
}

fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}
