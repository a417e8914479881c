//! What is read of YAML, and where it is refused.

use super::*;

fn shown(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_string(),
        Value::Scalar(text, true) => text.clone(),
        Value::Scalar(text, false) => format!("{text:?}"),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}={}", shown(key), shown(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(" "))
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let read = match read(text) {
        Ok(node) => shown(&node),
        Err(wrong) => wrong.to_string(),
    };
    assert_eq!(read, expected, "{text}");
}

#[test]
fn trees() {
    check("", "null");
    check("a: 1\nb: [x, 'y', ~]\n", "{a=1 b=[x \"y\" null]}");
    check(
        r#"[{"targets": ["a:1"], "labels": {"k": "v"}}]"#,
        "[{\"targets\"=[\"a:1\"] \"labels\"={\"k\"=\"v\"}}]",
    );
    check("a: &x {k: v}\nb: *x\n", "{a={k=v} b={k=v}}");
    check(
        "a: &x {k: v, l: w}\nb:\n  <<: *x\n  k: own\n",
        "{a={k=v l=w} b={k=own l=w}}",
    );
    check(
        "--- 1\n--- 2\n",
        "line 2, column 5: there is a second document",
    );
}

#[test]
fn what_grows_is_refused() {
    let mut bomb = String::from("a0: &a0 [x]\n");
    for step in 1..30 {
        let below = format!("*a{}", step - 1);
        bomb += &format!("a{step}: &a{step} [{below}, {below}, {below}]\n");
    }
    let refused = read(&bomb).expect_err("it would have three to the power of 29 values");
    assert!(
        refused.detail.contains("more than 1000000 values"),
        "{refused}"
    );
    let deep = "[".repeat(100);
    let refused = read(&deep).expect_err("it is too deep");
    assert!(
        refused.detail.contains("nested more than 32 deep"),
        "{refused}"
    );
}

#[test]
fn fields_know_their_place() {
    let wrong = |text: &str| -> String {
        let take = || {
            let mut fields = read(text)?.fields("a test")?;
            fields.read("a", Node::number)?;
            fields.read("b", Node::boolean)?;
            fields.end(|name| (name == "c").then(|| "c is not for us".to_string()))
        };
        take()
            .err()
            .map(|wrong| wrong.to_string())
            .unwrap_or_default()
    };
    assert_eq!(wrong("a: 1\nb: yes\n"), "");
    assert_eq!(
        wrong("a: -1\n"),
        "line 1, column 4: a: a number, 0 or more, is wanted here"
    );
    assert_eq!(
        wrong("a: 1\nb: 'true'\n"),
        "line 2, column 4: b: true or false is wanted here"
    );
    assert_eq!(
        wrong("x: 1\nd: 2\n"),
        "line 1, column 1: x is no field of a test that is known"
    );
    assert_eq!(wrong("b: no\nc: 2\n"), "line 2, column 1: c is not for us");
    assert_eq!(wrong("a: 1\na: 2\n"), "line 2, column 1: a stands twice");
}
