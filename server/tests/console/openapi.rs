//! The description of REST and what is routed are the same.

use std::collections::BTreeSet;

#[test]
fn every_described_call_is_routed_and_every_routed_call_is_described() {
    let document = quorate::rest::document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routed: BTreeSet<(String, String)> = quorate::rest::listed()
        .into_iter()
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    let document = quorate::rest::document();
    let text = document.to_string();
    let references = text
        .split("\"$ref\":\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    let broken: BTreeSet<&str> = references
        .filter(|pointer| document.pointer(pointer).is_none())
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}
