//! The layers of an image, by an OCI layout (image-spec: image-layout.md, image-index.md, manifest.md, config.md) or by the
//! `manifest.json` of `docker save`.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::blobs::Blobs;
use super::identify::sha256;

/// How deep indexes may be nested.
const DEPTH: usize = 4;

/// How many layers an image may have; overlayfs itself takes 500.
const LAYERS: usize = 500;

/// An image of a layout.
#[derive(Debug)]
pub(super) struct Image {
    /// The digest of its manifest, in hexadecimal.
    pub(super) digest: String,
    /// The files that it is made of.
    pub(super) files: Vec<String>,
    /// Its layers, the lowest first.
    pub(super) layers: Vec<Layer>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// Its file in the layout.
    pub(super) name: String,
    /// The SHA-256 that the file must have, where the layout states one.
    pub(super) digest: Option<String>,
    /// The SHA-256 that the tar in it must have.
    pub(super) diff_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Saved {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

/// The image of an OCI layout, for the host's architecture where there are several.
pub(super) fn oci(blobs: &Blobs) -> Result<Image, String> {
    if !blobs.has("oci-layout") {
        return Err("it is no OCI layout: it has no file `oci-layout`".to_owned());
    }
    let mut index: Index = decode("index.json", &blobs.document("index.json")?)?;
    let mut files = Vec::new();
    for _ in 0..DEPTH {
        let chosen = choose(&index.manifests)?;
        let (name, text) = document(blobs, &chosen.digest)?;
        files.push(name.clone());
        if chosen.media_type.contains("index") || chosen.media_type.contains("manifest.list") {
            index = decode(&name, &text)?;
            continue;
        }
        return image(blobs, &decode(&name, &text)?, hex_of(&chosen.digest)?, files);
    }
    Err(format!("its indexes are nested deeper than {DEPTH}"))
}

/// Takes the only manifest, or that of the host's architecture. Attestations have the architecture `unknown`.
fn choose(manifests: &[Descriptor]) -> Result<&Descriptor, String> {
    let host = architecture();
    let fits = |platform: &Platform| platform.architecture == host && platform.os == "linux";
    let mut candidates = manifests.iter().filter(|one| one.platform.as_ref().is_none_or(fits));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => {
            Err("its index holds several images for this machine: save one of them".to_owned())
        }
        (None, _) => {
            let others: Vec<&str> = manifests
                .iter()
                .filter_map(|one| Some(one.platform.as_ref()?.architecture.as_str()))
                .collect();
            Err(format!("it holds no image for linux/{host}, only for: {}", others.join(", ")))
        }
    }
}

/// This machine as the image spec names it, which is as Go does.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

fn image(
    blobs: &Blobs,
    manifest: &Manifest,
    digest: String,
    mut files: Vec<String>,
) -> Result<Image, String> {
    let (name, text) = document(blobs, &manifest.config.digest)?;
    let config: Config = decode(&name, &text)?;
    files.push(name);
    let digests: Vec<String> =
        manifest.layers.iter().map(|layer| hex_of(&layer.digest)).collect::<Result<_, _>>()?;
    let names: Vec<String> = digests.iter().map(|digest| format!("blobs/sha256/{digest}")).collect();
    files.extend(names.iter().cloned());
    let layers = zip(names, digests.into_iter().map(Some).collect(), &config)?;
    Ok(Image { digest, files, layers })
}

/// The image of a `docker save` archive. Since Docker 25 its files are OCI blobs and named by their digest; before, only the
/// configuration's diff ids tell whether a layer is whole.
pub(super) fn docker(blobs: &Blobs) -> Result<Image, String> {
    let saved: Vec<Saved> = decode("manifest.json", &blobs.document("manifest.json")?)?;
    let tags: Vec<String> = saved.iter().flat_map(|one| one.tags.clone().unwrap_or_default()).collect();
    let [one] = <[Saved; 1]>::try_from(saved)
        .map_err(|all| format!("it holds {} images ({}): save one of them", all.len(), tags.join(", ")))?;
    let text = blobs.document(&one.config)?;
    let digest = sha256(&text[..]).map_err(|error| error.to_string())?;
    if let Some(stated) = named(&one.config).filter(|stated| *stated != digest) {
        return Err(format!("`{}` has the sha256 {digest}, not {stated}", one.config));
    }
    let config: Config = decode(&one.config, &text)?;
    let digests =
        one.layers.iter().map(|name| name.strip_prefix("blobs/sha256/").map(str::to_owned)).collect();
    let layers = zip(one.layers.clone(), digests, &config)?;
    Ok(Image { digest, files: Vec::new(), layers })
}

/// The digest in a configuration's name: `blobs/sha256/HEX` or, before Docker 25, `HEX.json`.
fn named(config: &str) -> Option<String> {
    let name = config.strip_prefix("blobs/sha256/").or_else(|| config.strip_suffix(".json"))?;
    (name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| name.to_owned())
}

fn zip(names: Vec<String>, digests: Vec<Option<String>>, config: &Config) -> Result<Vec<Layer>, String> {
    let diff_ids = &config.rootfs.diff_ids;
    if names.len() != diff_ids.len() || names.len() > LAYERS {
        return Err(format!(
            "it has {} layers, and {} diff ids; at most {LAYERS} are read",
            names.len(),
            diff_ids.len()
        ));
    }
    let all = names.into_iter().zip(digests).zip(diff_ids);
    all.map(|((name, digest), id)| Ok(Layer { name, digest, diff_id: Some(hex_of(id)?) })).collect()
}

/// A document by its digest, which is checked.
fn document(blobs: &Blobs, digest: &str) -> Result<(String, Vec<u8>), String> {
    let stated = hex_of(digest)?;
    let name = format!("blobs/sha256/{stated}");
    let text = blobs.document(&name)?;
    let real = sha256(&text[..]).map_err(|error| error.to_string())?;
    if real == stated { Ok((name, text)) } else { Err(format!("`{name}` has the sha256 {real}")) }
}

/// The hexadecimal part of `sha256:…`. It becomes a file's name, so that nothing else may pass.
fn hex_of(digest: &str) -> Result<String, String> {
    let plain =
        |hex: &&str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let hex = digest.strip_prefix("sha256:").filter(plain);
    hex.map(str::to_owned).ok_or_else(|| format!("`{digest}` is not a sha256 digest"))
}

fn decode<T: DeserializeOwned>(name: &str, text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| format!("`{name}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(architecture: Option<&str>) -> Descriptor {
        let platform =
            architecture.map(|name| Platform { architecture: name.to_owned(), os: "linux".to_owned() });
        Descriptor { media_type: String::new(), digest: architecture.unwrap_or("any").to_owned(), platform }
    }

    #[test]
    fn the_hosts_architecture_is_chosen() {
        let all = [descriptor(Some("s390x")), descriptor(Some(architecture())), descriptor(Some("unknown"))];
        assert_eq!(choose(&all).unwrap().digest, architecture());
        assert_eq!(choose(&[descriptor(None)]).unwrap().digest, "any");
        assert!(choose(&[descriptor(Some("s390x"))]).unwrap_err().ends_with("only for: s390x"));
        assert!(choose(&[descriptor(None), descriptor(None)]).unwrap_err().contains("several images"));
    }

    #[test]
    fn a_digest_cannot_be_a_path() {
        assert!(hex_of(&format!("sha256:{}", "a".repeat(64))).is_ok());
        for bad in
            ["sha256:../../etc/passwd", "sha512:aa", &format!("sha256:{}", "A".repeat(64)), &"a".repeat(64)]
        {
            assert!(hex_of(bad).is_err(), "{bad}");
        }
    }
}
