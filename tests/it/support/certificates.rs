//! Certificates of a private authority.

use std::{fs, path::Path};

/// Creates `authority.crt`, and for this machine `server.crt` and `server.key`, in a folder.
pub(crate) fn create(folder: &Path) {
    let names = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    fs::write(folder.join("names"), names).unwrap();
    for words in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=weavers \
         -keyout authority.key -out authority.crt",
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server \
         -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 \
         -extfile names -out server.crt",
    ] {
        let output = std::process::Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(folder)
            .output()
            .unwrap();
        let returned = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {returned}");
    }
}
