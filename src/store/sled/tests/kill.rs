//! The process dies by SIGKILL in the middle of its writes, again and again: nothing that was
//! answered is lost, and no code counts twice.

use std::io::{BufRead, BufReader, Write as _, stdout};
use std::process::{Child, Command, Stdio};

use super::*;

const FOLDER: &str = "PORTCULLIS_TEST_KILL_FOLDER";
const NAME: &str = "store::sled::tests::kill::an_answered_write_outlives_the_process";
const WRITERS: u64 = 8;

// This test starts itself again as the process that will die; the variable tells which it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answered_write_outlives_the_process() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write_until_killed(Path::new(&folder)).await;
    }
    let home = Home::new();
    let mut answered = [0; WRITERS as usize];
    for (round, kill_after) in [1, 3, 20, 64, 150, 300, 301, 2, 90, 40].into_iter().enumerate() {
        let mut child = start(&home);
        for (writer, turn) in answers(&mut child, kill_after) {
            answered[writer] = turn;
        }
        assert!(answered.iter().any(|turn| *turn > 0), "nothing was answered in round {round}");
        check(&home, &answered).await;
    }
}

fn start(home: &Home) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env(FOLDER, home.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the child says was answered. It is killed after so many lines, and lines that it
/// wrote until it died count too.
fn answers(child: &mut Child, kill_after: usize) -> Vec<(usize, u64)> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answers = Vec::new();
    for line in lines {
        let Ok(line) = line else { break };
        let words: Vec<_> = line.split(' ').collect();
        // The last line may be cut off, so a line counts only with its end.
        if let ["answered", writer, turn, "."] = words[..] {
            answers.push((writer.parse().unwrap(), turn.parse().unwrap()));
            if answers.len() == kill_after {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(answers.len() >= kill_after, "the child ended by itself");
    answers
}

async fn check(home: &Home, answered: &[u64]) {
    let store = home.open();
    for (writer, turn) in (0..).zip(answered) {
        let kept = last_turn(&store, writer).await;
        assert!(kept >= *turn, "writer {writer}: {turn} was answered, {kept} is kept");
        if kept == 0 {
            continue;
        }
        // Written and raised in one transaction, so neither is there without the other.
        let to = first_step() + kept * 30;
        let register = store.get(NOW, &step(writer)).await.unwrap().unwrap().value;
        assert_eq!(register, to.to_be_bytes().to_vec());
        let raise = Write::raise(step(writer), to, UnixMillis(u64::MAX));
        let replayed = store.commit(NOW, vec![raise]).await;
        assert!(matches!(replayed, Err(StoreError::Refused { .. })), "{replayed:?}");
    }
    store.close().await.unwrap();
}

async fn write_until_killed(folder: &Path) -> ! {
    let store = Arc::new(SledStore::open(folder, &keyring(1), NOW).unwrap());
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut turn = last_turn(&store, writer).await;
            loop {
                turn += 1;
                let to = first_step() + turn * 30;
                let tx = vec![
                    Write::put(turns(writer), turn.to_be_bytes().to_vec(), None),
                    Write::raise(step(writer), to, UnixMillis(u64::MAX)),
                ];
                store.commit(NOW, tx).await.unwrap();
                let mut out = stdout().lock();
                writeln!(out, "answered {writer} {turn} .").unwrap();
                out.flush().unwrap();
            }
        });
    }
    std::future::pending().await
}

// Above any replay floor that an open at NOW can set.
fn first_step() -> u64 {
    NOW.seconds() + 60
}

async fn last_turn(store: &SledStore, writer: u64) -> u64 {
    let record = store.get(NOW, &turns(writer)).await.unwrap();
    record.map_or(0, |record| u64::from_be_bytes(record.value[..].try_into().unwrap()))
}

fn turns(writer: u64) -> Key {
    Key::new(Space::Factor, writer.to_be_bytes().to_vec())
}

fn step(writer: u64) -> Key {
    Key::new(Space::Step, writer.to_be_bytes().to_vec())
}
