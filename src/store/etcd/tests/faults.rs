//! Members that fail, and an etcd that was set back: nothing that was answered is lost, and no
//! code counts twice.

use std::process::Output;

use super::*;

/// Runs bash with `words` as its arguments.
fn bash(script: &str, words: &[&str]) -> Output {
    let mut command = Command::new("bash");
    command.args(["-c", script, SCRIPT]).args(words).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_outlives_its_leader() {
    let cluster = Cluster::start();
    let address = cluster.address("portcullis");
    let store = Arc::new(EtcdStore::open(&address, &keyring(1), NOW).await.unwrap());
    let write = |store: Arc<EtcdStore>, writer: u32| async move {
        let mut answered = Vec::new();
        for turn in 0..60_u32 {
            let key = Key::new(Space::Factor, [writer.to_be_bytes(), turn.to_be_bytes()].concat());
            match store.commit(NOW, vec![put(&key, "x").expecting(Expect::Absent)]).await {
                Ok(_) => answered.push(key),
                Err(StoreError::Unavailable(_) | StoreError::Indeterminate(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        answered
    };
    let writers: Vec<_> = (0..4).map(|it| tokio::spawn(write(Arc::clone(&store), it))).collect();
    let killed = block_in_place(|| cluster.script("kill-leader", &[]));
    let mut answered = Vec::new();
    for writer in writers {
        answered.extend(writer.await.unwrap());
    }
    assert!(answered.len() > 100, "{} were answered", answered.len());
    for key in &answered {
        assert!(store.get(NOW, key).await.unwrap().is_some(), "{key:?} is lost");
    }
    // Writes go on by themselves, and the one who is missing is named.
    store.commit(NOW, vec![put(&factor("ann"), "x")]).await.unwrap();
    let shared = store.health().await.shared.unwrap();
    assert!(shared.failovers > 0);
    assert!(shared.warnings.iter().any(|it| it.contains("does not answer")), "{shared:?}");
    block_in_place(|| cluster.script("restart", &[killed]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_most_members_everything_is_refused() {
    let cluster = Cluster::start();
    let store = EtcdStore::open(&cluster.address("x"), &keyring(1), NOW).await.unwrap();
    store.commit(NOW, vec![put(&factor("ann"), "x")]).await.unwrap();
    for member in ["1", "2"] {
        block_in_place(|| cluster.script("kill", &[member.to_owned()]));
    }
    let ann = factor("ann");
    let (read, written) =
        tokio::join!(store.get(NOW, &ann), store.commit(NOW, vec![put(&ann, "y")]),);
    let refused =
        |error| matches!(error, StoreError::Unavailable(_) | StoreError::Indeterminate(_));
    assert!(refused(read.unwrap_err()));
    assert!(refused(written.unwrap_err()));
    assert!(!store.health().await.writable);
    block_in_place(|| cluster.script("restart", &["1".to_owned()]));
    store.commit(NOW, vec![put(&factor("ann"), "z")]).await.unwrap();
}

/// An etcd of one member, which is set back more easily than three.
struct Single {
    folder: TempDir,
    port: u16,
}

impl Single {
    const KEEP: &str = concat!(
        ". ",
        env!("CARGO_MANIFEST_DIR"),
        "/tests/engines/keeper.sh\n",
        r#"keep "$PPID" "$1/log" bash -c 'echo $$ >"$0" && exec "$@"' "$1/pid" etcd --name one \
            --data-dir "$1/data" --listen-client-urls "http://127.0.0.1:$2" \
            --advertise-client-urls "http://127.0.0.1:$2" \
            --listen-peer-urls "http://127.0.0.2:$2" \
            --initial-advertise-peer-urls "http://127.0.0.2:$2" \
            --initial-cluster "one=http://127.0.0.2:$2"
        until_true 30 "etcd" etcdctl --endpoints "127.0.0.1:$2" endpoint health"#,
    );

    fn start() -> Self {
        let single = Self { folder: tempfile::tempdir().unwrap(), port: free_ports()[0] };
        single.run(Self::KEEP);
        single
    }

    fn run(&self, script: &str) {
        let folder = self.folder.path().to_str().unwrap();
        let script = format!("set -e; export ETCDCTL_API=3; {script}");
        let ran = block_in_place(|| bash(&script, &[folder, &self.port.to_string()]));
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    fn kill(&self) {
        let keeper = concat!(". ", env!("CARGO_MANIFEST_DIR"), "/tests/engines/keeper.sh\n");
        self.run(&format!("{keeper} kill_all \"$(cat \"$1/pid\")\""));
    }

    fn save(&self) {
        self.run("etcdctl --endpoints \"127.0.0.1:$2\" snapshot save \"$1/snapshot\"");
    }

    /// Sets it back to what was saved.
    fn restore(&self) {
        self.kill();
        self.run(
            r#"rm -r "$1/data"
            etcdctl snapshot restore "$1/snapshot" --name one --data-dir "$1/data" \
                --initial-advertise-peer-urls "http://127.0.0.2:$2" \
                --initial-cluster "one=http://127.0.0.2:$2""#,
        );
        self.run(Self::KEEP);
    }

    async fn open(&self) -> EtcdStore {
        let url = format!("http://127.0.0.1:{}/portcullis", self.port);
        EtcdStore::open(&EtcdConfig::parse(&url).unwrap(), &keyring(1), NOW).await.unwrap()
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        self.kill();
    }
}

fn raise(to: u64) -> Vec<Write> {
    vec![Write::raise(key(Space::Step, "ann"), to, LATER)]
}

const BURNED: StoreError = StoreError::Refused { index: 0, current: NOW.seconds() + 30 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_set_back_takes_no_code_of_before() {
    let etcd = Single::start();
    let store = etcd.open().await;
    let mut events = store.watch();
    store.commit(NOW, raise(700)).await.unwrap();
    etcd.save();
    store.commit(NOW, raise(701)).await.unwrap();
    store.commit(NOW, vec![put(&key(Space::Revoke, "ann"), "x")]).await.unwrap();
    let told = Event::Changed { key: key(Space::Revoke, "ann"), deleted: false };
    assert_eq!(news(&mut events).await, told);
    etcd.restore();
    assert_eq!(store.commit(NOW, raise(701)).await, Err(BURNED));
    assert_eq!(news(&mut events).await, Event::Resync);
    store.commit(NOW, raise(NOW.seconds() + 60)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_not_there_learns_that_a_store_was_set_back() {
    let etcd = Single::start();
    let store = etcd.open().await;
    for to in 1..=20 {
        store.commit(NOW, raise(to)).await.unwrap();
    }
    store.sweep(NOW, Duration::ZERO, 1).await.unwrap();
    etcd.save();
    store.commit(NOW, raise(21)).await.unwrap();
    store.close().await.unwrap();
    etcd.restore();
    let store = etcd.open().await;
    assert_eq!(store.commit(NOW, raise(21)).await, Err(BURNED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_etcd_burns_no_code() {
    let etcd = Single::start();
    let store = etcd.open().await;
    store.commit(NOW, raise(700)).await.unwrap();
    etcd.kill();
    etcd.run(Single::KEEP);
    store.commit(NOW, raise(701)).await.unwrap();
    drop(store);
    let store = etcd.open().await;
    store.commit(NOW, raise(702)).await.unwrap();
}
