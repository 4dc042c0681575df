//! Images in layers: OCI layouts and what `docker save` writes.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::place::Place;
use super::tarball::{Tar, gzip};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).into_iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The files of an OCI layout whose image has these layers.
struct Layout(Vec<(String, Vec<u8>)>);

impl Layout {
    fn new(layers: &[Vec<u8>], packed: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let mut files = Self(vec![("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())]);
        let diff_ids: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", sha256(layer))).collect();
        let config = files.blob(&json!({"architecture": "any", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}));
        let layers: Vec<Value> = layers.iter().map(|layer| files.add(packed(layer))).collect();
        let manifest = files.blob(&json!({"schemaVersion": 2, "config": config, "layers": layers}));
        // An index in an index, beside one for another machine: as buildx writes it.
        let mut ours = manifest;
        ours["platform"] = json!({"os": "linux", "architecture": if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }});
        let mut other = ours.clone();
        other["platform"]["architecture"] = json!("s390x");
        other["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
        let mut inner = files.blob(&json!({"schemaVersion": 2, "manifests": [other, ours]}));
        inner["mediaType"] = json!("application/vnd.oci.image.index.v1+json");
        files.0.push((
            "index.json".into(),
            json!({"schemaVersion": 2, "manifests": [inner]}).to_string().into(),
        ));
        files
    }

    fn blob(&mut self, value: &Value) -> Value {
        self.add(value.to_string().into_bytes())
    }

    fn add(&mut self, content: Vec<u8>) -> Value {
        let digest = sha256(&content);
        let descriptor = json!({"mediaType": "application/x", "digest": format!("sha256:{digest}"), "size": content.len()});
        self.0.push((format!("blobs/sha256/{digest}"), content));
        descriptor
    }

    fn tar(&self) -> Vec<u8> {
        let start = Tar::new().folder("blobs").folder("blobs/sha256");
        self.0.iter().fold(start, |tar, (name, content)| tar.file(name, content)).end()
    }

    fn folder(&self, place: &Place) {
        for (name, content) in &self.0 {
            place.write(&format!("layout/{name}"), content);
        }
    }
}

fn layers() -> Vec<Vec<u8>> {
    let lower = Tar::new()
        .folder("etc")
        .file("etc/kept", b"1")
        .file("etc/gone", b"1")
        .folder("opaque")
        .file("opaque/old", b"1");
    let lower = lower.folder("tree").file("tree/deep/x", b"1").file("same", b"1").file("replaced/x", b"1");
    // Whiteouts hide lower layers wherever in the tar they stand: `opaque/new` stands before the mark.
    let upper = Tar::new()
        .file("etc/.wh.gone", b"")
        .file("opaque/new", b"2")
        .file("opaque/.wh..wh..opq", b"")
        .file(".wh.tree", b"");
    let upper = upper
        .file("same", b"2")
        .file(".wh.same", b"")
        .file("absent/.wh.x", b"")
        .file("replaced", b"2")
        .file(".wh..wh.plnk", b"");
    vec![lower.end(), upper.end()]
}

fn check_tree(root: &Path) {
    let read = |name: &str| std::fs::read_to_string(root.join(name)).ok();
    let expected = [
        ("etc/kept", Some("1")),
        ("etc/gone", None),
        ("opaque/old", None),
        ("opaque/new", Some("2")),
        ("tree/deep/x", None),
        ("same", Some("2")),
        ("replaced", Some("2")),
    ];
    for (name, content) in expected {
        assert_eq!(read(name).as_deref(), content, "{name}");
    }
    for name in ["tree", "absent", "etc/.wh.gone", "opaque/.wh..wh..opq", ".wh.tree", ".wh..wh.plnk"] {
        assert!(root.join(name).symlink_metadata().is_err(), "{name}");
    }
}

#[test]
fn an_oci_layout_as_folder_and_as_tar() {
    let layout = Layout::new(&layers(), gzip);
    let place = Place::new();
    layout.folder(&place);
    check_tree(&place.store.rootfs("./layout", place.path()).unwrap().path);
    check_tree(&place.image(&layout.tar()).unwrap().path);
    check_tree(&place.image(&gzip(&layout.tar())).unwrap().path);
}

#[test]
fn a_docker_archive_of_the_newer_kind() {
    let layers = layers();
    let mut layout = Layout::new(&layers, <[u8]>::to_vec);
    let names: Vec<String> = layers.iter().map(|layer| format!("blobs/sha256/{}", sha256(layer))).collect();
    let config = layout.0[1].0.clone();
    let manifest = json!([{"Config": config, "RepoTags": null, "Layers": names}]).to_string();
    layout.0.push(("manifest.json".into(), manifest.into()));
    check_tree(&Place::new().image(&layout.tar()).unwrap().path);
    // Another image under the same digest: neither the layer's nor the configuration's digest lets it pass.
    let layer = layout.0.iter_mut().find(|(name, _)| *name == names[1]).unwrap();
    layer.1 = Tar::new().file("other", b"").end();
    let error = Place::new().image(&layout.tar()).unwrap_err().to_string();
    assert!(error.contains(&format!("layer `{}`: its sha256 is ", names[1])), "{error}");
}

#[test]
fn a_docker_archive_of_several_images_is_refused() {
    let one = json!({"Config": "c.json", "RepoTags": ["a:1"], "Layers": []});
    let two = json!({"Config": "c.json", "RepoTags": ["b:2"], "Layers": []});
    let archive = Tar::new().file("manifest.json", json!([one, two]).to_string().as_bytes()).end();
    let error = Place::new().image(&archive).unwrap_err().to_string();
    assert!(error.ends_with("it holds 2 images (a:1, b:2): save one of them"), "{error}");
}

#[test]
fn a_docker_archive_of_the_older_kind() {
    let place = Place::new();
    check_tree(&place.image(&docker(&layers(), |_| ())).unwrap().path);
}

/// As Docker wrote it before version 25: a folder for each layer, named at random.
fn docker(layers: &[Vec<u8>], change: impl Fn(&mut Vec<String>)) -> Vec<u8> {
    let mut diff_ids: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", sha256(layer))).collect();
    change(&mut diff_ids);
    let config = json!({"rootfs": {"type": "layers", "diff_ids": diff_ids}}).to_string();
    let config_name = format!("{}.json", sha256(config.as_bytes()));
    let names: Vec<String> = (0..layers.len()).map(|number| format!("{number:064x}/layer.tar")).collect();
    let manifest = json!([{"Config": config_name, "RepoTags": ["x:latest"], "Layers": names}]).to_string();
    let tar = names.iter().zip(layers).fold(Tar::new(), |tar, (name, layer)| tar.file(name, layer));
    tar.file(&config_name, config.as_bytes()).file("manifest.json", manifest.as_bytes()).end()
}

#[test]
fn wrong_digests_are_refused() {
    let check = |archive: &[u8], expected: &str| {
        let place = Place::new();
        let error = place.image(archive).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!((place.names("store").len(), place.names("building").len()), (0, 0));
    };
    check(
        &docker(&layers(), |ids| ids[1] = format!("sha256:{}", "0".repeat(64))),
        "layer.tar`: its diff id is ",
    );
    check(&docker(&layers(), |ids| ids.truncate(1)), "it has 2 layers, and 1 diff ids");
    check(
        &docker(&layers(), |ids| ids[0] = "sha256:../../x".into()),
        "`sha256:../../x` is not a sha256 digest",
    );
    let mut layout = Layout::new(&layers(), gzip);
    let layer = layout.0.iter_mut().find(|(_, content)| content.starts_with(&[0x1f, 0x8b])).unwrap();
    // The header's time of modification: the content stays what it was, and the digest does not.
    layer.1[4] ^= 1;
    check(&layout.tar(), "its sha256 is ");
    let mut layout = Layout::new(&layers(), gzip);
    layout.0[1].1.push(b' ');
    check(&layout.tar(), "` has the sha256 ");
    let mut layout = Layout::new(&layers(), gzip);
    layout.0.retain(|(_, content)| !content.starts_with(&[0x1f, 0x8b]));
    check(&layout.tar(), "` is missing from it");
    let bad = Tar::new().folder("etc").file("../evil", b"").end();
    check(&Layout::new(&[bad], gzip).tar(), "entry `../evil` is refused: its name leads upwards with `..`");
    let bad = Tar::new().folder("etc").file("etc/.wh...", b"").end();
    check(&Layout::new(&[bad], gzip).tar(), "entry `etc/.wh...` is refused: it is a whiteout of no name");
}

#[test]
fn a_recipe_states_a_digest() {
    let place = Place::new();
    let tar = Tar::new().file("x", b"x").end();
    place.write("x.tar", &tar);
    let recipe = |digest: &str| {
        place.write(
            "images/r.yaml",
            format!("about: x\narchive: {{path: ../x.tar, sha256: {digest}}}\n").as_bytes(),
        )
    };
    recipe(&sha256(b"other"));
    let error = place.store.rootfs("r", place.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("its sha256 is {}, and the recipe states ", sha256(&tar))), "{error}");
    recipe(&sha256(&tar));
    place.store.rootfs("r", place.path()).unwrap();
}
