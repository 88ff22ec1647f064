// SPDX-License-Identifier: Apache-2.0
//! Hostile headers: entries 68 to 79 of the catalogue in §10.
//!
//! Whether the facts suit the device (its type, what it provides, its update modules, the name of the deployment) is
//! judged by the client; here is what the reader refuses, and that the client gets to see the rest as it was written.

mod common;

use common::{Reading, accepted, content, ordinary, read, refused, refused_header, refused_outer, sample};
use mender_base::{Error, limits};
use mender_testkit::artifact::Artifact;
use mender_testkit::tar::{Member, Meta, Tar};

const HEADER_INFO: &str = "header-info";
const TYPE_INFO: &str = "headers/0000/type-info";
const META_DATA: &str = "headers/0000/meta-data";

/// What an artifact with this text of an entry of its header says.
fn with(entry: &str, text: &str) -> Reading {
    read(&ordinary().raw().edit_header(|tar| tar.member(entry).data = text.into()).bytes())
}

/// What an artifact says with `old` in its header-info replaced.
fn header_info(old: &str, new: &str) -> Result<(), Error> {
    let good = concat!(
        r#"{"payloads":[{"type":"zephyr-image"}],"artifact_provides":{"artifact_name":"release-2"},"#,
        r#""artifact_depends":{"device_type":["board"]}}"#
    );
    let text = good.replace(old, new);
    assert!(old == new || text != good, "{old} is there to be replaced");
    with(HEADER_INFO, &text).result
}

/// What an artifact says with this `type-info`.
fn type_info(text: &str) -> Reading {
    with(TYPE_INFO, text)
}

#[test]
fn c68_a_header_info_that_is_not_first_or_missing_is_refused() {
    let second = |tar: &mut Tar| tar.members.swap(0, 1);
    assert_eq!(refused_header(second), Error::MemberOrder);
    assert_eq!(refused_header(|tar| drop(tar.remove(HEADER_INFO))), Error::MemberOrder);
    assert_eq!(refused_header(|tar| drop(tar.remove(TYPE_INFO))), Error::MemberOrder);
    assert_eq!(refused_header(|tar| tar.members.clear()), Error::MemberOrder);
    let twice = |tar: &mut Tar| tar.members.insert(0, tar.members[0].clone());
    assert_eq!(refused_header(twice), Error::MemberOrder);
}

#[test]
fn c68_a_header_info_that_is_no_json_object_is_refused() {
    assert_eq!(header_info("", ""), Ok(()));
    for text in ["", " ", "{", "nonsense", "\u{feff}{}", r#"{"payloads":[}"#, r#"{"payloads""#] {
        assert_eq!(with(HEADER_INFO, text).result, Err(Error::JsonSyntax), "{text:?}");
    }
    for text in ["[]", r#""text""#, "true", "null", "7 "] {
        assert_eq!(with(HEADER_INFO, text).result, Err(Error::HeaderInfo), "{text:?}");
    }
    assert_eq!(header_info("}}", "}}x"), Err(Error::JsonSyntax));
    assert_eq!(header_info("}}", "}}{}"), Err(Error::JsonSyntax));
    assert_eq!(header_info("}}", "}},"), Err(Error::JsonSyntax));
    assert_eq!(header_info("}}", "}}\n \n"), Ok(()));
    assert_eq!(header_info("release-2", "\\ud800"), Err(Error::JsonText));
    let deep = format!(r#"{{"more":{}{}}}"#, "[".repeat(3000), "]".repeat(3000));
    assert_eq!(with(HEADER_INFO, &deep).result, Err(Error::JsonDepth));
    let nine = r#"{"a":[[[[[[[[1]]]]]]]],"#;
    assert_eq!(header_info("{\"payloads", &format!("{nine}\"payloads")), Err(Error::JsonDepth));
}

#[test]
fn c68_members_that_nobody_knows_are_read_over() {
    let more = r#"{"more":{"payloads":[1,{"type":null}],"x":[[]]},"long":"LONG","payloads"#;
    let more = more.replace("LONG", &"l".repeat(2000));
    assert_eq!(header_info("{\"payloads", &more), Ok(()));
    let long_key = format!("{{\"{}\":1,\"payloads", "k".repeat(400));
    assert_eq!(header_info("{\"payloads", &long_key), Ok(()));
    assert_eq!(header_info("\"artifact_name\"", "\"more\":\"x\",\"artifact_name\""), Ok(()));
    assert_eq!(header_info("{\"type\"", "{\"more\":{\"type\":[1,{}]},\"also\":[2],\"type\""), Ok(()));
}

#[test]
fn c68_a_member_that_comes_twice_is_refused() {
    let provides = r#""artifact_provides":{"artifact_name":"other"},"payloads"#;
    assert_eq!(header_info("\"payloads", provides), Err(Error::HeaderKeyTwice));
    assert_eq!(
        header_info("{\"payloads", r#"{"payloads":[{"type":"a"}],"payloads"#),
        Err(Error::HeaderKeyTwice)
    );
    assert_eq!(header_info("\"type\"", "\"type\":\"a\",\"type\""), Err(Error::HeaderKeyTwice));
    let name = r#""artifact_name":"a","artifact_name""#;
    assert_eq!(header_info("\"artifact_name\"", name), Err(Error::HeaderKeyTwice));
    let escaped = r#""artifact_n\u0061me":"a","artifact_name""#;
    assert_eq!(header_info("\"artifact_name\"", escaped), Err(Error::HeaderKeyTwice));
}

#[test]
fn c69_other_than_exactly_one_payload_with_a_type_is_refused() {
    let payloads = |text: &str| header_info(r#"[{"type":"zephyr-image"}]"#, text);
    for text in [
        "[]",
        "null",
        "{}",
        r#"{"type":"zephyr-image"}"#,
        r#""zephyr-image""#,
        "[{}]",
        "[[]]",
        "[null]",
        r#"["zephyr-image"]"#,
        r#"[{"type":7}]"#,
        r#"[{"type":["zephyr-image"]}]"#,
        r#"[{"type":{"type":"zephyr-image"}}]"#,
        r#"[{"type":true}]"#,
        r#"[{"type":""}]"#,
        r#"[{"type":"zephyr-image"},{"type":"zephyr-image"}]"#,
        r#"[{"type":"zephyr-image"},{}]"#,
        r#"[{"type":"zephyr-image","more":1},{}]"#,
        r#"[{"type":"zephyr-image","more":1},[]]"#,
        r#"[{"type":"zephyr-image"},[]]"#,
        r#"[{"type":"zephyr-image"},null]"#,
        r#"[{"type":"zephyr-image"},1]"#,
        r#"[1,{"type":"zephyr-image"}]"#,
        r#"[{},{"type":"zephyr-image"}]"#,
    ] {
        assert_eq!(payloads(text), Err(Error::Payloads), "{text}");
    }
    assert_eq!(header_info(r#""payloads":[{"type":"zephyr-image"}],"#, ""), Err(Error::Payloads));
    assert_eq!(header_info("\"zephyr-image\"", &format!("\"{}\"", "t".repeat(33))), Err(Error::HeaderLimit));
    assert_eq!(
        header_info("\"zephyr-image\"", &format!("\"{}\"", "t".repeat(3000))),
        Err(Error::HeaderLimit)
    );
}

#[test]
fn c69_a_payload_type_nobody_handles_is_handed_to_the_client() {
    let name = "t".repeat(limits::PAYLOAD_TYPE_MAX);
    let reading = accepted(&ordinary().payload_type(&name).build());
    assert_eq!(reading.fact("payload"), Some(name.as_str()));
}

#[test]
fn c70_a_missing_or_unfit_artifact_name_is_refused() {
    let name = |value: &str| header_info("\"release-2\"", value);
    assert_eq!(name("\"\""), Err(Error::ArtifactName));
    assert_eq!(header_info(r#"{"artifact_name":"release-2"}"#, "{}"), Err(Error::ArtifactName));
    assert_eq!(
        header_info(r#""artifact_provides":{"artifact_name":"release-2"},"#, ""),
        Err(Error::ArtifactName)
    );
    assert_eq!(header_info(r#"{"artifact_name":"release-2"}"#, "null"), Err(Error::ArtifactName));
    for value in ["7", "null", "[\"release-2\"]", "{}", "true"] {
        assert_eq!(name(value), Err(Error::HeaderInfo), "{value}");
    }
    assert_eq!(
        header_info(r#"{"artifact_name":"release-2"}"#, "[\"artifact_name\"]"),
        Err(Error::HeaderInfo)
    );
    let long = |len: usize| name(&format!("\"{}\"", "n".repeat(len)));
    assert_eq!(long(limits::NAME_MAX), Ok(()));
    assert_eq!(long(limits::NAME_MAX + 1), Err(Error::HeaderLimit));
    assert_eq!(long(5000), Err(Error::HeaderLimit));
    for control in ["\\u0000", "\\n", "\\u007f", "a\\u0000b"] {
        assert_eq!(name(&format!("\"{control}\"")), Err(Error::HeaderText), "{control}");
    }
}

#[test]
fn c70_the_name_and_group_reach_the_client_as_written() {
    let reading = accepted(&Artifact::new("näme \"2\" \\ <&>", "board").group("gruppe").build());
    assert_eq!(reading.fact("name"), Some("näme \"2\" \\ <&>"));
    assert_eq!(reading.fact("group"), Some("gruppe"));
}

#[test]
fn c71_an_artifact_without_a_device_type_is_refused() {
    let device_type = |value: &str| header_info(r#"["board"]"#, value);
    assert_eq!(device_type("[]"), Err(Error::DeviceTypeMissing));
    assert_eq!(header_info(r#"{"device_type":["board"]}"#, "{}"), Err(Error::DeviceTypeMissing));
    assert_eq!(header_info(r#"{"device_type":["board"]}"#, "null"), Err(Error::DeviceTypeMissing));
    assert_eq!(
        header_info(r#","artifact_depends":{"device_type":["board"]}"#, ""),
        Err(Error::DeviceTypeMissing)
    );
    for value in ["7", "null", "{}", "[7]", "[null]", "[[\"board\"]]", "[{}]", "true"] {
        assert_eq!(device_type(value), Err(Error::HeaderInfo), "{value}");
    }
}

#[test]
fn c71_a_device_type_that_is_no_array_is_accepted_and_case_is_kept() {
    let text = concat!(
        r#"{"payloads":[{"type":"zephyr-image"}],"artifact_provides":{"artifact_name":"release-2"},"#,
        r#""artifact_depends":{"device_type":"Board"}}"#
    );
    let reading = with(HEADER_INFO, text);
    assert_eq!(reading.result, Ok(()));
    let at = reading.facts.iter().position(|fact| fact == "depends device_type=Board").unwrap();
    assert_eq!(reading.facts[at + 1], "depends-end device_type");
}

#[test]
fn c72_depends_that_are_no_texts_are_refused_and_others_reach_the_client() {
    let depends =
        |value: &str| type_info(&format!(r#"{{"type":"zephyr-image","artifact_depends":{value}}}"#));
    for value in [
        r#"{"a":7}"#,
        r#"{"a":null}"#,
        r#"{"a":{}}"#,
        r#"{"a":[7]}"#,
        r#"{"a":[["b"]]}"#,
        "[]",
        "7",
        r#"{"":"a"}"#,
    ] {
        assert_eq!(depends(value).result, Err(Error::TypeInfo), "{value}");
    }
    let reading = depends(r#"{"a":"b","c":["d","e"],"f":[]}"#);
    assert_eq!(reading.result, Ok(()));
    let facts = reading.facts.join("\n");
    assert!(
        facts
            .contains("depends a=b\ndepends-end a\ndepends c=d\ndepends c=e\ndepends-end c\ndepends-end f\n")
    );
    assert_eq!(depends(r#"{"a":"b","a":"c"}"#).result, Err(Error::HeaderKeyTwice));
    assert_eq!(
        depends(r#"{"device_type":"other"}"#).result,
        Err(Error::HeaderKeyTwice),
        "it is in header-info"
    );
}

#[test]
fn c73_payload_types_that_differ_are_refused() {
    let with_type = |value: &str| type_info(&format!(r#"{{"type":{value}}}"#)).result;
    assert_eq!(with_type("\"zephyr-image\""), Ok(()));
    for value in ["\"\"", "\"other\"", "\"zephyr-imag\"", "\"zephyr-image2\"", "\"Zephyr-image\"", "null"] {
        assert_eq!(with_type(value), Err(Error::PayloadTypeDiffers), "{value}");
    }
    assert_eq!(with_type(&format!("\"{}\"", "t".repeat(1000))), Err(Error::PayloadTypeDiffers));
    for value in ["7", "[]", "{}", "true"] {
        assert_eq!(with_type(value), Err(Error::TypeInfo), "{value}");
    }
    assert_eq!(type_info("{}").result, Err(Error::TypeInfo));
    assert_eq!(type_info("[]").result, Err(Error::TypeInfo));
    assert_eq!(
        type_info(r#"{"type":"zephyr-image","type":"zephyr-image"}"#).result,
        Err(Error::HeaderKeyTwice)
    );
}

#[test]
fn c73_the_tool_s_empty_type_of_a_rootfs_image_is_accepted() {
    let artifact = |text: &str| {
        let raw = ordinary().payload_type("rootfs-image").raw();
        read(&raw.edit_header(|tar| tar.member(TYPE_INFO).data = text.into()).bytes()).result
    };
    assert_eq!(artifact(r#"{"type":""}"#), Ok(()));
    assert_eq!(artifact(r#"{"type":"rootfs-image"}"#), Ok(()));
    assert_eq!(artifact(r#"{"type":null}"#), Err(Error::PayloadTypeDiffers));
}

#[test]
fn c74_provides_that_are_no_texts_or_would_spoof_the_identity_are_refused() {
    let provides =
        |value: &str| type_info(&format!(r#"{{"type":"zephyr-image","artifact_provides":{value}}}"#)).result;
    for value in
        [r#"{"a":7}"#, r#"{"a":null}"#, r#"{"a":["b"]}"#, r#"{"a":{}}"#, "[]", "\"a\"", r#"{"":"a"}"#]
    {
        assert_eq!(provides(value), Err(Error::TypeInfo), "{value}");
    }
    for key in ["artifact_name", "device_type", "artifact_\\u006eame"] {
        assert_eq!(provides(&format!(r#"{{"{key}":"x"}}"#)), Err(Error::ProvidesReserved), "{key}");
    }
    assert_eq!(provides(r#"{"a":"b","a":"b"}"#), Err(Error::HeaderKeyTwice));
    assert_eq!(provides(r#"{"a":""}"#), Ok(()));
    assert_eq!(provides("{}"), Ok(()));
    assert_eq!(provides("null"), Ok(()));
}

#[test]
fn c75_too_many_or_too_long_pairs_are_refused() {
    let pairs = |count: usize| {
        let pairs: Vec<String> = (0..count).map(|i| format!("\"k{i}\":\"v\"")).collect();
        format!("{{{}}}", pairs.join(","))
    };
    let provides =
        |value: &str| type_info(&format!(r#"{{"type":"zephyr-image","artifact_provides":{value}}}"#)).result;
    let depends =
        |value: &str| type_info(&format!(r#"{{"type":"zephyr-image","artifact_depends":{value}}}"#)).result;
    for read in [&provides as &dyn Fn(&str) -> Result<(), Error>, &depends] {
        // One is the artifact's name, or the device type.
        assert_eq!(read(&pairs(limits::PAIRS_MAX - 1)), Ok(()));
        assert_eq!(read(&pairs(limits::PAIRS_MAX)), Err(Error::HeaderLimit));
        let pair = |key: usize, value: usize| {
            read(&format!("{{\"{}\":\"{}\"}}", "k".repeat(key), "v".repeat(value)))
        };
        assert_eq!(pair(limits::PAIR_KEY_MAX, limits::PAIR_VALUE_MAX), Ok(()));
        assert_eq!(pair(limits::PAIR_KEY_MAX + 1, 1), Err(Error::HeaderLimit));
        assert_eq!(pair(1, limits::PAIR_VALUE_MAX + 1), Err(Error::HeaderLimit));
        assert_eq!(pair(3000, 1), Err(Error::HeaderLimit));
        assert_eq!(pair(1, 6000), Err(Error::HeaderLimit));
        assert_eq!(read(&pairs(10_000)), Err(Error::MemberSize));
        assert_eq!(read("{\"a\":\"b\\nc\"}"), Err(Error::HeaderText));
        assert_eq!(read("{\"a\\u0000\":\"b\"}"), Err(Error::HeaderText));
    }
}

#[test]
fn c76_patterns_reach_the_client_and_too_long_ones_are_refused() {
    let clears =
        |value: &str| type_info(&format!(r#"{{"type":"zephyr-image","clears_artifact_provides":{value}}}"#));
    let reading = clears(r#"["*","**","a.*"]"#);
    assert!(reading.has("clears *") && reading.has("clears **") && reading.has("clears a.*"));
    assert!(reading.has("type-info false true"));
    let stars = |count: usize| clears(&format!("[\"{}\"]", "*".repeat(count))).result;
    assert_eq!(stars(limits::PAIR_VALUE_MAX), Ok(()));
    assert_eq!(stars(1000), Err(Error::HeaderLimit));
    assert!(clears("[]").has("type-info false true"));
    assert!(clears("null").has("type-info false false"));
    for value in ["7", "\"*\"", "{}", "[7]", "[[\"*\"]]", "[null]"] {
        assert_eq!(clears(value).result, Err(Error::TypeInfo), "{value}");
    }
}

#[test]
fn c77_state_scripts_are_refused_with_a_clear_text() {
    assert_eq!(refused(&sample("12-script.mender")), Error::StateScripts);
    assert_eq!(Error::StateScripts.text(), "state scripts are not supported");
    let script = ordinary().script_with("ArtifactInstall_Enter_00", Meta::file(), "#!/bin/sh\n");
    assert_eq!(refused(&script.build()), Error::StateScripts);
}

/// What an artifact with this meta-data says.
fn meta_data(text: &[u8]) -> Reading {
    read(&ordinary().raw().edit_header(|tar| tar.push_stream(META_DATA, text)).bytes())
}

#[test]
fn c78_meta_data_that_is_no_json_object_is_refused() {
    for text in ["{", "}", "{\"a\":}", "{}x", "{}{}", "{\"a\":1,}", " "] {
        assert_eq!(meta_data(text.as_bytes()).result, Err(Error::JsonSyntax), "{text}");
    }
    for text in ["[]", "\"text\"", "null", "[{}]"] {
        assert_eq!(meta_data(text.as_bytes()).result, Err(Error::MetaData), "{text}");
    }
    assert_eq!(meta_data(b"{\"a\":\"\xff\"}").result, Err(Error::JsonText));
    assert_eq!(meta_data(&[b' '; 9000]).result, Err(Error::MemberSize));
    assert_eq!(meta_data(&[b'['; 100]).result, Err(Error::MetaData));
    assert_eq!(meta_data(format!("{{\"a\":{}}}", "[".repeat(100)).as_bytes()).result, Err(Error::JsonDepth));
    let large = |tar: &mut Tar| tar.member("header.tar").data.resize(1 << 20, 0);
    assert_eq!(refused_outer(large), Error::MemberSize);
}

#[test]
fn c78_meta_data_reaches_the_client_as_written_and_empty_is_absent() {
    let long = format!("{{\"a\": [1, 2.5e3, {{}}], \"long\": \"{}\" }}\n", "l".repeat(5000));
    for text in ["{}", r#"{"retries":3,"s":"caf\u00e9"}"#, &long] {
        let reading = meta_data(text.as_bytes());
        assert_eq!(reading.result, Ok(()));
        assert_eq!(reading.meta_data, text.as_bytes());
        let end = reading.facts.iter().position(|fact| fact == "meta-data-end").unwrap();
        assert_eq!(reading.facts[end + 1], "header-end");
    }
    let empty = meta_data(b"");
    assert_eq!(empty.result, Ok(()));
    assert!(empty.meta_data.is_empty() && !empty.has("meta-data-end"));
}

#[test]
fn c79_entries_the_header_does_not_have_are_refused() {
    for name in [
        "headers/0001/type-info",
        "headers/0000/unknown",
        "headers/0000/files",
        "./header-info",
        "headers/0000/type-info/",
        "scripts",
        "",
        "foo",
    ] {
        let unknown = |tar: &mut Tar| tar.push_stream(name, "{}");
        assert_eq!(refused_header(unknown), Error::MemberUnknown, "{name}");
        let unknown = |tar: &mut Tar| tar.insert_before(TYPE_INFO, Member::new(name, "{}"));
        assert_eq!(refused_header(unknown), Error::MemberUnknown, "{name}");
    }
    let twice = |tar: &mut Tar| tar.push_stream(TYPE_INFO, r#"{"type":"zephyr-image"}"#);
    assert_eq!(refused_header(twice), Error::MemberOrder);
    let early = |tar: &mut Tar| tar.insert_before(TYPE_INFO, Member::new(META_DATA, "{}"));
    assert_eq!(refused_header(early), Error::MemberOrder);
    let twice = |tar: &mut Tar| {
        tar.push_stream(META_DATA, "{}");
        tar.push_stream(META_DATA, "{}");
    };
    assert_eq!(refused_header(twice), Error::MemberOrder);
}

#[test]
fn the_empty_payload_has_neither_files_nor_meta_data() {
    let empty = || Artifact::new("release-2", "board").bootstrap();
    let reading = accepted(&empty().build());
    assert_eq!(reading.fact("payload"), Some("null"));
    assert!(reading.has("type-info false false"));
    assert_eq!(refused(&empty().file("app.bin", content(10)).build()), Error::EmptyPayload);
    assert_eq!(refused(&empty().meta_data(serde_json::json!({"a": 1})).build()), Error::EmptyPayload);
}
