//! The API answers as its own document says, whatever it is asked: no status, type or form that
//! is not there, nothing taken that it does not allow, and nothing that breaks.

use std::process::{Command, Stdio};

use crate::dsl::book::AUDIT;
use crate::dsl::desk::{ADMIN, ORGANISATION};
use crate::dsl::steps::enrol;
use crate::dsl::{ALICE, BOB, gateway, portal};

#[tokio::test(flavor = "multi_thread")]
async fn adm_1_the_api_is_as_its_document_says() {
    let wiki = portal::form().yaml(&format!("{ORGANISATION}\nremember_device: {{}}")).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).token(ADMIN).yaml(AUDIT).run().await;
    // So that it is the API that is asked, and not how often it may be.
    let yaml = gateway.yaml();
    gateway.take(&yaml.replace("tokens:", "requests_per_minute: 60000, tokens:")).await;
    for who in [ALICE, BOB] {
        enrol(&gateway, "wiki", who).await;
    }
    let asked = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/schemathesis/run.sh"))
        .arg(gateway.admin().port().to_string())
        .env("TOKEN", ADMIN.secret)
        .current_dir(gateway.folder())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    let complaint = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{said}\n{complaint}");
    assert!(said.contains("No issues found"), "{said}");
    assert!(!gateway.log().contains("\"level\":\"ERROR\""), "{}", gateway.log());
}
