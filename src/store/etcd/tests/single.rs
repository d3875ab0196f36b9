//! An etcd of one member, which is set back, closed off and sealed more easily than three.

use std::process::Output;

use super::*;

/// One member, with the flags that it was started with.
pub(super) struct Single {
    folder: TempDir,
    port: u16,
    flags: Vec<String>,
    certificate: Option<String>,
}

impl Single {
    const KEEPER: &str = concat!(". ", env!("CARGO_MANIFEST_DIR"), "/tests/engines/keeper.sh\n");
    const START: &str = r#"
        folder=$1 port=$2
        shift 2
        keep "$PPID" "$folder/log" bash -c 'echo $$ >"$0" && exec "$@"' "$folder/pid" \
            etcd --name one --data-dir "$folder/data" \
            --listen-client-urls "$ETCDCTL_ENDPOINTS" --advertise-client-urls "$ETCDCTL_ENDPOINTS" \
            --listen-peer-urls "http://127.0.0.2:$port" \
            --initial-advertise-peer-urls "http://127.0.0.2:$port" \
            --initial-cluster "one=http://127.0.0.2:$port" "$@"
        until_true 30 "etcd, see $folder/log" curl --fail --silent --insecure "$ETCDCTL_ENDPOINTS/health""#;

    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let single = Self { folder, port: free_ports()[0], flags: Vec::new(), certificate: None };
        single.go_on();
        single
    }

    /// The same, spoken to by TLS alone.
    pub(super) fn start_sealed() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
        let flags = [format!("--cert-file={certificate}"), format!("--key-file={key}")].to_vec();
        let port = free_ports()[0];
        let single = Self { folder, port, flags, certificate: Some(certificate) };
        single.go_on();
        single
    }

    /// Starts it again with the data that it had.
    pub(super) fn go_on(&self) {
        self.run(&[Self::KEEPER, Self::START].concat());
    }

    pub(super) fn kill(&self) {
        self.run(&format!("{} kill_all \"$(cat \"$1/pid\")\"", Self::KEEPER));
    }

    pub(super) fn save(&self) {
        self.run("etcdctl snapshot save \"$1/snapshot\"");
    }

    /// Sets it back to what was saved.
    pub(super) fn restore(&self) {
        self.kill();
        self.run(
            r#"rm -r "$1/data"
            etcdctl snapshot restore "$1/snapshot" --name one --data-dir "$1/data" \
                --initial-advertise-peer-urls "http://127.0.0.2:$2" \
                --initial-cluster "one=http://127.0.0.2:$2""#,
        );
        self.go_on();
    }

    /// Runs `script` in bash, which has our folder, the port and the flags as its words.
    pub(super) fn run(&self, script: &str) {
        let ran = block_in_place(|| self.bash(&format!("set -e; {script}")));
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    fn bash(&self, script: &str) -> Output {
        let mut command = Command::new("bash");
        command.args(["-c", script, SCRIPT]).arg(self.folder.path()).arg(self.port.to_string());
        command.args(&self.flags).env("ETCDCTL_API", "3");
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        command.env("ETCDCTL_ENDPOINTS", format!("{scheme}://127.0.0.1:{}", self.port));
        if let Some(certificate) = &self.certificate {
            command.env("ETCDCTL_CACERT", certificate);
        }
        command.output().unwrap()
    }

    /// The url of a store, with what stands before its host and after its prefix.
    pub(super) fn url(&self, user: &str, query: &str) -> EtcdConfig {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{user}127.0.0.1:{}/portcullis{query}", self.port);
        EtcdConfig::parse(&url).unwrap()
    }

    /// The file with the authorities, as the url names it.
    pub(super) fn authorities(&self) -> String {
        self.certificate.as_ref().map(|file| format!("?ca={file}")).unwrap_or_default()
    }

    pub(super) async fn open(&self) -> EtcdStore {
        EtcdStore::open(&self.url("", &self.authorities()), &keyring(1), NOW).await.unwrap()
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        self.kill();
    }
}
