//! Headers as balancers write them, whole and byte by byte; and whatever else may come.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::{HeaderFault, LONGEST_BINARY, Named, SIGNATURE, Step, parse};

/// Reads as a receiver does: as much as is needed, `at_most` at once. Gives what was made of it
/// and how many bytes it took.
fn read(bytes: &[u8], at_most: usize) -> (Result<Option<Named>, HeaderFault>, usize) {
    let mut taken = 0;
    loop {
        match parse(&bytes[..taken]) {
            Err(fault) => return (Err(fault), taken),
            Ok(Step::Whole(named)) => return (Ok(Some(named)), taken),
            Ok(Step::Needs(count)) => {
                assert!(count > 0, "it waits for nothing after {taken} bytes");
                let count = count.min(at_most).min(bytes.len() - taken);
                if count == 0 {
                    return (Ok(None), taken);
                }
                taken += count;
            }
        }
    }
}

fn whole(bytes: &[u8]) -> Result<Option<Named>, HeaderFault> {
    let (read_at_once, taken) = read(bytes, usize::MAX);
    assert_eq!(read(bytes, 1).0, read_at_once, "byte by byte");
    if let Ok(Some(_)) = read_at_once {
        assert_eq!(taken, bytes.len(), "something is left");
        let followed = [bytes, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(read(&followed, usize::MAX), (read_at_once, taken), "took what follows");
    }
    read_at_once
}

fn client(text: &str) -> Named {
    Named::Client(text.parse::<SocketAddr>().unwrap())
}

fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

fn addresses(text: &str) -> Vec<u8> {
    let address: SocketAddr = text.parse().unwrap();
    let octets = match address {
        SocketAddr::V4(address) => address.ip().octets().to_vec(),
        SocketAddr::V6(address) => address.ip().octets().to_vec(),
    };
    let port = address.port().to_be_bytes();
    let ours = vec![1; octets.len()];
    [&octets[..], &ours, &port, &[1, 187]].concat()
}

#[test]
fn a_line_names_the_client() {
    let widest = "ffff:f:f:f:f:f:f:f";
    let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.1 10.0.0.1 5000 443".to_owned(), client("192.0.2.1:5000")),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535".to_owned(),
            client("255.255.255.255:65535"),
        ),
        ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0".to_owned(), client("0.0.0.0:0")),
        ("PROXY TCP6 2001:db8::1 ::1 5000 443".to_owned(), client("[2001:db8::1]:5000")),
        ("PROXY TCP6 :: :: 1 2".to_owned(), client("[::]:1")),
        ("PROXY TCP6 ::ffff:192.0.2.1 ::1 5000 443".to_owned(), client("192.0.2.1:5000")),
        (format!("PROXY TCP6 {widest} ::1 1 1"), client(&format!("[{widest}]:1"))),
        (
            format!("PROXY TCP6 {longest} {longest} 65535 65535"),
            client(&format!("[{longest}]:65535")),
        ),
        ("PROXY UNKNOWN".to_owned(), Named::Own),
        ("PROXY UNKNOWN whatever it is".to_owned(), Named::Own),
        (format!("PROXY UNKNOWN {longest} {longest} 65535 65535"), Named::Own),
    ] {
        assert_eq!(whole(format!("{line}\r\n").as_bytes()), Ok(Some(expected)), "{line}");
    }
}

#[test]
fn a_line_that_is_not_as_it_should_be_is_refused() {
    for line in [
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000 443 \r\n",
        "PROXY  TCP4 192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY TCP4  192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY TCP4\t192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000 443 1\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 05000 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 +500 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000 -1\r\n",
        "PROXY TCP4 192.0.2.01 10.0.0.1 5000 443\r\n",
        "PROXY TCP4 192.0.2.1.1 10.0.0.1 5000 443\r\n",
        "PROXY TCP4 2001:db8::1 ::1 5000 443\r\n",
        "PROXY TCP4 192.0.2.1 ::1 5000 443\r\n",
        "PROXY TCP6 192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY TCP6 [::1] ::1 5000 443\r\n",
        "PROXY TCP6 fe80::1%1 ::1 5000 443\r\n",
        "PROXY TCP5 192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY tcp4 192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY UDP4 192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY UNKNOWNS and so on\r\n",
        "PROXY unknown\r\nGET",
        "PROXY \r\nGET / HTTP/1.1\r\n",
        "PROXY TCP4 192.0.2.1\r 10.0.0.1 5000 443\r\n",
        "PROXY TCP4 192.0.2.1\r\n10.0.0.1 5000 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000 \u{664}43\r\n",
    ] {
        assert_eq!(whole(line.as_bytes()), Err(HeaderFault::Text), "{line:?}");
    }
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(500));
    assert_eq!(read(endless.as_bytes(), 1), (Err(HeaderFault::TooLong), 107));
    assert_eq!(read(endless.as_bytes(), usize::MAX), (Err(HeaderFault::TooLong), 107));
}

#[test]
fn version_2_names_the_client() {
    let (four, six) = (addresses("192.0.2.1:5000"), addresses("[2001:db8::1]:5000"));
    let additions = [&four[..], &[4, 0, 2, 9, 9]].concat();
    let most = [&six[..], &vec![7; LONGEST_BINARY - 16 - 36]].concat();
    for (header, expected) in [
        (version_2(0x21, 0x11, &four), client("192.0.2.1:5000")),
        (version_2(0x21, 0x21, &six), client("[2001:db8::1]:5000")),
        (version_2(0x21, 0x21, &addresses("[::ffff:192.0.2.1]:1")), client("192.0.2.1:1")),
        (version_2(0x21, 0x11, &additions), client("192.0.2.1:5000")),
        (version_2(0x21, 0x21, &most), client("[2001:db8::1]:5000")),
        (version_2(0x20, 0x00, &[]), Named::Own),
        (version_2(0x20, 0x11, &four), Named::Own),
        (version_2(0x20, 0xff, &[1, 2, 3]), Named::Own),
        (version_2(0x21, 0x00, &[]), Named::Own),
        (version_2(0x21, 0x00, &four), Named::Own),
    ] {
        assert_eq!(whole(&header), Ok(Some(expected)), "{header:x?}");
    }
}

#[test]
fn version_2_that_is_not_as_it_should_be_is_refused() {
    let four = addresses("192.0.2.1:5000");
    let mut others: Vec<_> = [0x12, 0x10, 0x13, 0x22, 0x20, 0x31, 0x32, 0x41, 0xff]
        .map(|family| version_2(0x21, family, &[9; 216]))
        .to_vec();
    others.extend(
        [0x00, 0x01, 0x11, 0x22, 0x2f, 0x30, 0xff].map(|command| version_2(command, 0x11, &four)),
    );
    others.push(version_2(0x21, 0x11, &four[..11]));
    others.push(version_2(0x21, 0x11, &[]));
    others.push(version_2(0x21, 0x21, &addresses("[::1]:1")[..35]));
    for header in others {
        assert_eq!(whole(&header), Err(HeaderFault::Binary), "{header:x?}");
    }
    for length in [LONGEST_BINARY - 15, 65_535] {
        let header = version_2(0x20, 0x00, &vec![0; length]);
        assert_eq!(read(&header, 1), (Err(HeaderFault::TooLong), 16));
    }
}

#[test]
fn anything_else_is_refused_by_its_first_bytes() {
    for start in [
        "GET / HTTP/1.1\r\n",
        "\x16\x03\x01\x02",
        "PRI * HTTP/2.0\r\n",
        "proxy TCP4 ",
        "PROXY\r\n",
        "\r\n\r\n\0\r\nQUIT\r",
        "\0",
    ] {
        assert_eq!(whole(start.as_bytes()), Err(HeaderFault::NotThere), "{start:?}");
    }
    for begun in ["", "P", "PROXY", "PROXY TCP4 1", "\r\n\r\n\0", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]
    {
        assert_eq!(whole(begun.as_bytes()), Ok(None), "{begun:?}");
    }
}

fn header() -> impl Strategy<Value = Vec<u8>> {
    let line = "PROXY (TCP4|TCP6|UNKNOWN)[0-9a-f:. \r\n]{0,110}(\r\n)?";
    let version_2 = (any::<[u8; 3]>(), proptest::collection::vec(any::<u8>(), 0..600)).prop_map(
        |([command, family, _], rest)| version_2(0x20 | (command & 1), family & 0x33, &rest),
    );
    prop_oneof![
        line.prop_map(String::into_bytes),
        version_2,
        proptest::collection::vec(any::<u8>(), 0..600),
    ]
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_read_the_same_however_they_come(bytes in header(), pace in 1_usize..40) {
        let (at_once, taken) = read(&bytes, usize::MAX);
        let (in_parts, taken_in_parts) = read(&bytes, pace);
        prop_assert_eq!(at_once.is_err(), in_parts.is_err());
        if at_once.is_ok() {
            prop_assert_eq!((at_once, taken), (in_parts, taken_in_parts));
        }
        prop_assert!(taken <= LONGEST_BINARY);
        let _does_not_panic = parse(&bytes);
    }

    #[test]
    fn every_address_comes_through(octets in any::<[u8; 4]>(), wide in any::<[u8; 16]>(), port in any::<u16>()) {
        for address in [SocketAddr::from((octets, port)), SocketAddr::from((wide, port))] {
            let expected = SocketAddr::new(address.ip().to_canonical(), port);
            let family = if address.is_ipv4() { (0x11, "TCP4") } else { (0x21, "TCP6") };
            let binary = version_2(0x21, family.0, &addresses(&address.to_string()));
            prop_assert_eq!(whole(&binary), Ok(Some(Named::Client(expected))));
            let ip = address.ip();
            let line = format!("PROXY {} {ip} {ip} {port} 443\r\n", family.1);
            prop_assert_eq!(whole(line.as_bytes()), Ok(Some(Named::Client(expected))));
        }
    }
}
