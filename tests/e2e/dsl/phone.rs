//! A phone: a camera that reads QR codes and an app that shows codes. Both are real:
//! `zbarimg` and `oathtool`.

use std::process::Command;

/// An app with one account.
#[derive(Clone, Debug)]
pub struct Phone {
    pub link: String,
    secret: String,
    algorithm: String,
    digits: String,
    period: u64,
}

impl Phone {
    /// Points the camera at the page's picture.
    pub fn scan(svg: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (drawn, seen) = (folder.path().join("code.svg"), folder.path().join("code.png"));
        // Alone in a file a picture needs its name space.
        let alone = match svg.contains("xmlns=") {
            true => svg.to_owned(),
            false => svg.replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1),
        };
        std::fs::write(&drawn, alone).unwrap();
        let (from, to) = (path(&drawn), path(&seen));
        let drawing = ["-w", "600", "-h", "600", "-b", "white", "-o", to, from];
        tool("rsvg-convert", "librsvg2-bin", &drawing);
        Self::photograph(&seen)
    }

    /// Reads a photograph.
    pub fn photograph(picture: &std::path::Path) -> Self {
        let read = tool("zbarimg", "zbar-tools", &["-q", "--raw", path(picture)]);
        Self::from_link(read.trim())
    }

    /// Takes the link that the picture holds.
    pub fn from_link(link: &str) -> Self {
        assert!(link.starts_with("otpauth://totp/"), "no account in the picture: {link}");
        let query = link.split_once('?').unwrap().1;
        let value = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        Self {
            link: link.to_owned(),
            secret: value("secret").unwrap(),
            algorithm: value("algorithm").unwrap_or_else(|| "SHA1".to_owned()).to_lowercase(),
            digits: value("digits").unwrap_or_else(|| "6".to_owned()),
            period: value("period").map_or(30, |period| period.parse().unwrap()),
        }
    }

    /// What the app shows at that time, in seconds since the epoch.
    pub fn code(&self, at: u64) -> String {
        let at = format!("@{at}");
        let step = format!("{}s", self.period);
        let totp = format!("--totp={}", self.algorithm);
        let arguments = [&totp, "-b", &self.secret, "-d", &self.digits, "-s", &step, "-N", &at];
        tool("oathtool", "oathtool", &arguments).trim().to_owned()
    }

    /// What the app shows from that time on, one code after the other.
    pub fn codes(&self, at: u64, count: usize) -> Vec<String> {
        let (at, step) = (format!("@{at}"), format!("{}s", self.period));
        let (totp, window) = (format!("--totp={}", self.algorithm), (count - 1).to_string());
        let arguments =
            [&totp, "-b", &self.secret, "-d", &self.digits, "-s", &step, "-N", &at, "-w", &window];
        let said = tool("oathtool", "oathtool", &arguments);
        said.lines().map(str::to_owned).collect()
    }

    /// The secret in base32.
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

fn tool(name: &str, package: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).output();
    let output = output.unwrap_or_else(|_| panic!("{name} is missing: apt-get install {package}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} failed: {said}");
    String::from_utf8(output.stdout).unwrap()
}
