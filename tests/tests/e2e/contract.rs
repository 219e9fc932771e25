//! The documents of the contract: what is in its examples is in ours, with the same types.

use serde_json::Value;

pub const STATUS: &str = r#"{"schema":1,"cluster":"prod","node":"node1","version":"0.1.0","maintenance":false,
 "quorum":{"quorate":true,"votes":3,"expected":3,"needed":2},
 "leader":"node1",
 "nodes":[{"name":"node1","id":1,"online":true,"daemon":true,"standby":false,"leader":true,"address":"10.100.0.1"}],
 "vips":[{"name":"web","address":"10.77.0.100/24","interface":"eth0","state":"active","holder":"node1"}],
 "services":[{"name":"nginx","unit":"nginx.service","state":"active","holder":"node1","healthy":true,"failures":0}],
 "health":[{"name":"api","type":"http","healthy":true,"last_error":null}],
 "mesh":{"enabled":true,"peers":2,"connected":2},
 "fencing":{"enabled":false,"provider":null,"pending":[]}}"#;

pub const MESH_STATUS: &str = r#"{"schema":1,"interface":"wg-sfha","address":"10.100.0.1/24","port":51820,"public_key":"…","backend":"kernel","mtu":1420,
 "peers":[{"name":"node2","ip":"10.100.0.2","public_key":"…","endpoint":"5.6.7.8:51820","state":"connected","path":"direct",
  "latest_handshake":"2026-01-01T00:00:00Z","rx_bytes":1,"tx_bytes":1,"rtt_ms":0.8,"keepalive":25}]}"#;

pub const TOKEN: &str = r#"{"schema":1,"token":"sfha-join://…","id":"…","ip":"10.100.0.2","expires":"…"}"#;

pub const JOINED: &str =
    r#"{"schema":1,"cluster":"prod","node":"node2","id":2,"ip":"10.100.0.2","elapsed_ms":1234}"#;

pub const ERROR: &str = r#"{"error":{"code":"no-quorum","message":"…","details":{}}}"#;

/// What may be `null` for "not known", by its path in the example.
const NULLABLE: &[&str] =
    &["/leader", "/vips/interface", "/vips/holder", "/peers/rtt_ms", "/peers/latest_handshake"];

/// Checks a document against an example, and returns the part of it that the example has too.
pub fn check(document: &Value, example: &str) -> Value {
    let example: Value = serde_json::from_str(example).unwrap();
    part(document, &example, "", document)
}

fn part(value: &Value, example: &Value, path: &str, whole: &Value) -> Value {
    let wrong = |what: &str| -> ! { panic!("{path}: {what}, the contract says {example}, in {whole:#}") };
    match (example, value) {
        (Value::Null, other) => other.clone(),
        (_, Value::Null) if NULLABLE.contains(&path) => Value::Null,
        (Value::Object(fields), Value::Object(found)) => {
            let field = |(name, example): (&String, &Value)| {
                let path = format!("{path}/{name}");
                let Some(value) = found.get(name) else { wrong(&format!("no field {name}")) };
                (name.clone(), part(value, example, &path, whole))
            };
            fields.iter().map(field).collect()
        }
        (Value::Array(examples), Value::Array(found)) => {
            let Some(example) = examples.first() else { return value.clone() };
            found.iter().map(|value| part(value, example, path, whole)).collect()
        }
        (Value::Number(example), Value::Number(found)) => {
            if example.is_u64() && !found.is_u64() {
                wrong("not a whole number");
            }
            value.clone()
        }
        (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) => value.clone(),
        _ => wrong(&format!("found {value}")),
    }
}

/// Checks the document of a failure, and returns its code.
pub fn error_code(document: &Value) -> String {
    check(document, ERROR);
    let code = document["error"]["code"].as_str().unwrap();
    assert!(!document["error"]["message"].as_str().unwrap().is_empty(), "{document}");
    code.to_owned()
}

#[test]
fn an_addition_is_no_part_of_the_contract() {
    let document =
        serde_json::json!({"schema":1,"cluster":"x","node":"y","id":2,"ip":"z","elapsed_ms":4,"new":1});
    assert_eq!(check(&document, JOINED).as_object().unwrap().len(), 6);
}

#[test]
#[should_panic(expected = "/id: not a whole number")]
fn a_wrong_type_is_noticed() {
    check(&serde_json::json!({"schema":1,"cluster":"x","node":"y","id":2.5,"ip":"z","elapsed_ms":4}), JOINED);
}

#[test]
#[should_panic(expected = "no field ip")]
fn a_missing_field_is_noticed() {
    check(&serde_json::json!({"schema":1,"cluster":"x","node":"y","id":2,"elapsed_ms":4}), JOINED);
}
