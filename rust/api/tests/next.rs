// SPDX-License-Identifier: Apache-2.0
//! Deployment instructions, good and hostile. Tests named `cNN_…` are entries of the catalogue in `docs/protocol` §10.

use mender_api::{Next, Url};
use mender_base::Error;

const ID: &str = "0f6a2c4e-1b2c-4d3e-8f90-a1b2c3d4e5f6";
const TYPE: &str = "nucleo_l4a6zg";
const URI_MAX: usize = 128;

/// Reads `body` in pieces of every size that could matter: all must agree.
fn read(body: &[u8]) -> Result<(Offer, String), Refused> {
    let mut results = [1, 7, 64, body.len().max(1)].map(|chunk| read_in(body, chunk));
    for other in &results[1..] {
        assert_eq!(&results[0], other, "{:?}", String::from_utf8_lossy(body));
    }
    std::mem::replace(&mut results[0], Err(Refused { error: Error::Internal, id: None }))
}

/// An offer with texts of its own.
#[derive(Debug, PartialEq)]
struct Offer {
    id: String,
    artifact_name: String,
}

/// A refusal with texts of its own.
#[derive(Debug, PartialEq)]
struct Refused {
    error: Error,
    id: Option<String>,
}

fn read_in(body: &[u8], chunk: usize) -> Result<(Offer, String), Refused> {
    let (mut next, mut uri, mut scratch) = (Next::new(), [0; URI_MAX], [0; Next::SCRATCH]);
    for piece in body.chunks(chunk) {
        next.feed(piece, TYPE, &mut uri, &mut scratch).map_err(|error| Refused { error, id: None })?;
    }
    let offer = next
        .finish(&uri, &scratch)
        .map_err(|refused| Refused { error: refused.error, id: refused.id.map(String::from) })?;
    let uri = std::str::from_utf8(&uri[..offer.uri_len]).unwrap().to_string();
    assert!(Url::parse(&uri).is_ok());
    Ok((Offer { id: offer.id.into(), artifact_name: offer.artifact_name.into() }, uri))
}

/// The instructions of a good reply with one text replaced.
fn with(from: &str, to: &str) -> String {
    let good = format!(
        r#"{{"id":"{ID}","artifact":{{"id":"x","artifact_name":"release-2","source":{{"uri":"https://s3.example.com/a?b=1\u0026c=2","expire":"2026-03-11T13:03:17.06Z","method":"GET","header":{{"uri":"x"}}}},"device_types_compatible":["other","{TYPE}"]}}}}"#
    );
    assert!(good.contains(from), "{from}");
    good.replacen(from, to, 1)
}

/// Unusable, but it is known which deployment it was.
fn fails_deployment(body: &str, error: Error) {
    let refused = read(body.as_bytes()).unwrap_err();
    assert_eq!((refused.error, refused.id.as_deref()), (error, Some(ID)), "{body}");
}

/// Unusable, and there is nothing to report.
fn cannot_be_reported(body: &[u8], error: Error) {
    assert_eq!(read(body), Err(Refused { error, id: None }), "{:?}", String::from_utf8_lossy(body));
}

#[test]
fn the_servers_own_reply_is_understood() {
    let (offer, uri) = read(with("", "").as_bytes()).unwrap();
    assert_eq!(offer.id, ID);
    assert_eq!(offer.artifact_name, "release-2");
    assert_eq!(uri, "https://s3.example.com/a?b=1&c=2");
}

#[test]
fn members_come_in_any_order_and_unknown_ones_are_passed_over() {
    let body = format!(
        r#" {{ "x":[{{"id":1,"artifact":[[{{}}]]}},"id"], "artifact" : {{ "device_types_compatible":["{TYPE}"],
        "source":{{"header":{{"a":{{"uri":1}}}},"uri":"http://a"}}, "uri":7, "artifact_name":"n", "source2":{{"uri":[]}} }},
        "artifact_name":5, "source":null, "uri":{{}}, "device_types_compatible":0, "id":"{ID}" }} "#
    );
    let (offer, uri) = read(body.as_bytes()).unwrap();
    assert_eq!((offer.artifact_name.as_str(), uri.as_str()), ("n", "http://a"));
    let long_key = format!(r#"{{"{}":1,"#, "k".repeat(600));
    assert!(read(with("{", &long_key).as_bytes()).is_ok());
    let after_ours = format!(r#""{}":1,"artifact":{{"#, "k".repeat(600));
    assert!(read(with("\"artifact\":{", &after_ours).as_bytes()).is_ok());
}

#[test]
fn c19_what_is_not_json_persists_nothing() {
    let good = with("", "");
    for end in 0..good.len() {
        cannot_be_reported(&good.as_bytes()[..end], Error::JsonSyntax);
    }
    for trailing in ["x", "{}", ",", "null", "\0"] {
        cannot_be_reported(format!("{good}{trailing}").as_bytes(), Error::JsonSyntax);
    }
    for bad in ["<html></html>", "id", "{'id':1}", "{\"id\"}", "{,}", "{\"a\":1,}"] {
        cannot_be_reported(bad.as_bytes(), Error::JsonSyntax);
    }
}

#[test]
fn c10_an_empty_body_is_not_an_offer() {
    cannot_be_reported(b"", Error::JsonSyntax);
    cannot_be_reported(b"  \r\n", Error::JsonSyntax);
}

#[test]
fn c20_deep_nesting_ends_at_the_eighth_level() {
    cannot_be_reported(&[b'['; 100_000], Error::JsonDepth);
    cannot_be_reported("{\"a\":".repeat(100_000).as_bytes(), Error::JsonDepth);
    let at = |depth: usize| with("{", &format!(r#"{{"x":{}{},"#, "[".repeat(depth), "]".repeat(depth)));
    assert!(read(at(7).as_bytes()).is_ok());
    cannot_be_reported(at(8).as_bytes(), Error::JsonDepth);
}

#[test]
fn c21_duplicate_members_are_refused() {
    let other = "11111111-1b2c-4d3e-8f90-a1b2c3d4e5f6";
    // With two ids neither is believed, wherever they stand.
    cannot_be_reported(with("{", &format!(r#"{{"id":"{other}","#)).as_bytes(), Error::OfferDuplicate);
    cannot_be_reported(with("]}}", &format!(r#"]}},"id":"{other}"}}"#)).as_bytes(), Error::OfferDuplicate);
    cannot_be_reported(
        with("]}}", &format!(r#"]}},"id":"{other}","id":"{ID}"}}"#)).as_bytes(),
        Error::OfferDuplicate,
    );
    for (from, to) in [
        ("\"artifact\":{", r#""artifact":{},"artifact":{"#),
        ("\"artifact_name\"", r#""artifact_name":"release-1","artifact_name""#),
        ("\"source\"", r#""source":{},"source""#),
        ("\"uri\"", r#""uri":"https://evil/","uri""#),
        (",\"expire\"", r#","uri":"https://evil/","expire""#),
        ("\"device_types_compatible\"", r#""device_types_compatible":[],"device_types_compatible""#),
        ("\"artifact_name\"", r#""artifact_n\u0061me":"release-1","artifact_name""#),
    ] {
        fails_deployment(&with(from, to), Error::OfferDuplicate);
    }
    let twice = with("", "");
    assert!(
        read(twice.replacen("\"x\"", "\"x\",\"id\":\"y\"", 1).as_bytes()).is_ok(),
        "artifact.id is not ours"
    );
}

#[test]
fn c22_wrong_types_are_refused() {
    for value in ["7", "null", "true", "{}", "[]", r#"["a"]"#, r#"{"id":"a"}"#] {
        cannot_be_reported(with(&format!("\"{ID}\""), value).as_bytes(), Error::OfferType);
        fails_deployment(&with("\"release-2\"", value), Error::OfferType);
        let uri = r#""https://s3.example.com/a?b=1\u0026c=2""#;
        fails_deployment(&with(uri, value), Error::OfferType);
    }
    for value in ["7", "null", "false", "\"x\"", "[]", "[{}]"] {
        fails_deployment(&format!(r#"{{"id":"{ID}","artifact":{value}}}"#), Error::OfferType);
        fails_deployment(&with("\"source\":{", &format!("\"source\":{value},\"x\":{{")), Error::OfferType);
    }
    for value in
        ["7", "null", "\"nucleo_l4a6zg\"", "{}", "[1]", "[null]", "[[\"nucleo_l4a6zg\"]]", "[{}]", "[true]"]
    {
        let list = format!("[\"other\",\"{TYPE}\"]");
        fails_deployment(&with(&list, value), Error::OfferType);
    }
    for top in ["[]", "\"x\"", "true", "[{\"id\":1}]"] {
        cannot_be_reported(top.as_bytes(), Error::OfferType);
    }
}

#[test]
fn c23_missing_members_are_refused() {
    cannot_be_reported(with("\"id\":\"0", "\"ID\":\"0").as_bytes(), Error::OfferMissing);
    cannot_be_reported(b"{}", Error::OfferMissing);
    for name in ["\"artifact\"", "\"artifact_name\"", "\"source\"", "\"uri\"", "\"device_types_compatible\""]
    {
        fails_deployment(&with(name, "\"other\""), Error::OfferMissing);
    }
    fails_deployment(&format!(r#"{{"id":"{ID}"}}"#), Error::OfferMissing);
}

#[test]
fn c24_an_id_that_is_no_uuid_never_gets_out() {
    let long = "a".repeat(10_000);
    for id in [
        "",
        "0f6a2c4e-1b2c-4d3e-8f90-a1b2c3d4e5f",
        "0f6a2c4e-1b2c-4d3e-8f90-a1b2c3d4e5f67",
        "0F6A2C4E-1B2C-4D3E-8F90-A1B2C3D4E5F6",
        "0f6a2c4e-1b2c-4d3e-8f90/../../../../",
        "0f6a2c4e 1b2c 4d3e 8f90 a1b2c3d4e5f6",
        "0f6a2c4e-1b2c-4d3e-8f90-a1b2c3d4e5f\\u0000",
    ] {
        cannot_be_reported(with(ID, id).as_bytes(), Error::OfferId);
    }
    cannot_be_reported(with(ID, &long).as_bytes(), Error::OfferTooLong);
}

#[test]
fn c25_a_url_that_must_not_be_followed_fails_the_deployment() {
    let uri = r"https://s3.example.com/a?b=1\u0026c=2";
    for bad in [
        "",
        "/relative",
        "file:///etc/passwd",
        "ftp://s3.example.com/a",
        "https://user:pw@s3.example.com/a",
        "https://s3.example.com/a#f",
        "https:///a",
        "https://s3.example.com:0/a",
        "https://s3.example.com:99999/a",
        r"https://s3.example.com/a\r\nX-Y: z",
        r"https://s3.example.com/a\u0000",
        "https://s3.example.com/ä",
    ] {
        fails_deployment(&with(uri, bad), Error::Url);
    }
    fails_deployment(&with(uri, &format!("https://a/{}", "x".repeat(URI_MAX))), Error::OfferTooLong);
    let longest = format!("https://a/{}", "x".repeat(URI_MAX - 10));
    assert_eq!(read(with(uri, &longest).as_bytes()).unwrap().1, longest);
}

#[test]
fn c26_escapes_in_a_url_are_undone_and_broken_ones_refused() {
    let uri = r"https://s3.example.com/a?b=1\u0026c=2";
    let good = with(uri, r"https:\/\/a\u002fb?\u003c\u003E\u0026");
    assert_eq!(read(good.as_bytes()).unwrap().1, "https://a/b?<>&");
    for bad in [r"\ud800", r"\udc00", r"\ud800\u0041", r"\ud800x", r"\u00g0", r"\x41", "\u{1}"] {
        cannot_be_reported(with(uri, &format!("https://a/{bad}")).as_bytes(), Error::JsonText);
        cannot_be_reported(with("release-2", bad).as_bytes(), Error::JsonText);
    }
    for bad in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82"] {
        let good = with("", "").into_bytes();
        let at = good.windows(9).position(|w| w == b"release-2").unwrap();
        let body = [&good[..at], bad, &good[at..]].concat();
        cannot_be_reported(&body, Error::JsonText);
    }
}

#[test]
fn c27_a_name_that_is_too_long_or_has_control_characters_is_refused() {
    fails_deployment(&with("release-2", &"n".repeat(5000)), Error::OfferTooLong);
    fails_deployment(&with("release-2", &"n".repeat(257)), Error::OfferTooLong);
    let longest = "n".repeat(256);
    assert_eq!(read(with("release-2", &longest).as_bytes()).unwrap().0.artifact_name, longest.as_str());
    for bad in [r"release\u0000-2", r"\u0000", r"a\nb", r"a\u007f", ""] {
        fails_deployment(&with("release-2", bad), Error::OfferName);
    }
    assert_eq!(read(with("release-2", "é 😀").as_bytes()).unwrap().0.artifact_name, "é 😀");
}

#[test]
fn c28_an_artifact_for_other_devices_fails_the_deployment() {
    let list = format!("[\"other\",\"{TYPE}\"]");
    let long = format!("[\"{}\"]", "x".repeat(600));
    for types in [
        "[]",
        "[\"other\"]",
        "[\"\"]",
        "[\"NUCLEO_L4A6ZG\"]",
        "[\"nucleo_l4a6zg \"]",
        "[\"nucleo_l4a6z\"]",
        &long,
    ] {
        fails_deployment(&with(&list, types), Error::OfferDevice);
    }
    assert!(read(with(&list, &format!("[\"{}\",\"{TYPE}\",\"b\"]", "x".repeat(600))).as_bytes()).is_ok());
}

#[test]
fn the_first_of_several_faults_is_named() {
    let body = with("release-2", "").replacen("\"uri\":", "\"uri\":7,\"x\":", 1);
    fails_deployment(&body, Error::OfferName);
}

#[test]
fn c29_null_is_not_an_offer() {
    cannot_be_reported(b"null", Error::OfferType);
    cannot_be_reported(b" null \n", Error::OfferType);
}

#[test]
fn c31_an_update_control_map_is_passed_over_even_when_it_is_invalid() {
    for map in [
        r#"{"id":"x","priority":99,"states":{"ArtifactInstall_Enter":{"action":"pause"}}}"#,
        "null",
        "[1,2]",
        "\"x\"",
    ] {
        let body = with("]}}", &format!(r#"]}},"update_control_map":{map}}}"#));
        assert!(read(body.as_bytes()).is_ok(), "{map}");
    }
}
