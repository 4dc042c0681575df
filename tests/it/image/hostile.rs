//! Hostile archives: each is refused with the name of the entry, and nothing of it is left.

use sha2::Digest as _;
use tar::EntryType;

use super::place::Place;
use super::tarball::{Tar, gzip, xz, zstd};

fn check(archive: &[u8], expected: &str) {
    let place = Place::new();
    let error = place.image(archive).expect_err(expected).to_string();
    let named = format!("{}: {expected}", place.path().join("archive").display());
    assert!(error.starts_with(&named), "\nexpected {named}\nobserved {error}");
    for folder in ["store", "building", "memo"] {
        assert_eq!(place.names(folder), [""; 0], "left in {folder} after: {expected}");
    }
}

#[test]
fn names_that_lead_upwards() {
    check(
        &Tar::new().file("good", b"").file("../evil", b"x").end(),
        "entry `../evil` is refused: its name leads upwards with `..`",
    );
    check(
        &Tar::new().file("a/../../evil", b"x").end(),
        "entry `a/../../evil` is refused: its name leads upwards",
    );
    check(
        &Tar::new().pax(&[("path", b"../evil")]).file("x", b"x").end(),
        "entry `../evil` is refused: its name leads upwards",
    );
    check(&Tar::new().folder("..").end(), "entry `..` is refused: its name leads upwards");
    check(
        &Tar::new().pax(&[("path", b"a\0b")]).file("x", b"x").end(),
        "entry `a\0b` is refused: its name holds a zero byte",
    );
}

#[test]
fn ways_through_links_that_lead_out() {
    let absolute = Tar::new().link("evil", "/airtight-victim").file("evil/x", b"x");
    check(
        &absolute.end(),
        "entry `evil/x` is refused: its way goes through the link evil, which leads to nothing in the image",
    );
    let relative = Tar::new().folder("a").link("a/evil", "../../etc").file("a/evil/x", b"x");
    check(
        &relative.end(),
        "entry `a/evil/x` is refused: its way goes through the link a/evil, which leads out of the image",
    );
    let chain = Tar::new().link("a", "b").link("b", "c/..").folder("c").link("d", "a/..").file("d/x", b"x");
    check(
        &chain.end(),
        "entry `d/x` is refused: its way goes through the link d, which leads out of the image",
    );
    let round = Tar::new().link("a", "b").link("b", "a").file("a/x", b"x");
    check(&round.end(), "entry `a/x` is refused: its way goes through more than 40 links");
}

#[test]
fn hard_links_to_what_the_archive_does_not_hold() {
    check(
        &Tar::new().hard_link("x", "/etc/passwd").end(),
        "entry `x` is refused: it is a hard link to /etc/passwd, which is no file of the image so far",
    );
    check(
        &Tar::new().hard_link("x", "../../etc/passwd").end(),
        "entry `x` is refused: its hard link ../../etc/passwd leads upwards with `..`",
    );
    let through = Tar::new().link("out", "../../etc").hard_link("x", "out/passwd");
    check(
        &through.end(),
        "entry `x` is refused: its hard link out/passwd: its way goes through the link out, which leads out",
    );
    check(
        &Tar::new().folder("d").hard_link("x", "d").end(),
        "entry `x` is refused: it is a hard link to d, which is no file",
    );
}

#[test]
fn lies_about_sizes() {
    let lie =
        |size: u64| Tar::new().header(EntryType::Regular, "liar", "", 0o644, size, |_| ()).content(b"short");
    check(
        &lie(5000).cut(),
        "entry `liar` is refused: truncated: it has 512 bytes of the 5000 that its header states",
    );
    check(&lie(1 << 40).cut(), "entry `liar` is refused: a bomb: it claims 1099511627776 bytes");
    let pax = Tar::new().pax(&[("size", b"18446744073709551615")]).file("liar", b"x");
    check(&pax.end(), "its first entry is refused: size overflow");
    let many = (0..3).fold(Tar::new(), |tar, number| {
        tar.header(EntryType::Regular, &format!("f{number}"), "", 0o644, 6 << 30, |_| ())
    });
    check(&many.cut(), "entry `f0` is refused: truncated");
}

#[test]
fn cut_archives() {
    let whole = Tar::new().file("one", b"x").file("two", &[7; 3000]).end();
    check(&whole[..512 * 4], "entry `two` is refused: truncated: it has 512 bytes of the 3000");
    check(&whole[..512 * 2 + 100], "what follows entry `one` is refused: failed to read entire block");
    check(
        &Tar::new().file("one", b"x").cut(),
        "what follows entry `one` is refused: truncated: the tar has no end mark",
    );
    let noise: Vec<u8> =
        (0..20_000u64).flat_map(|number| sha2::Sha256::digest(number.to_le_bytes())).collect();
    let whole = Tar::new().file("one", b"x").file("two", &noise).end();
    for packed in [gzip(&whole), zstd(&whole), xz(&whole)] {
        check(&packed[..packed.len() / 2], "entry `two` is refused: ");
    }
    let mut wrong = gzip(&whole);
    let check_sum = wrong.len() - 6;
    wrong[check_sum] ^= 1;
    check(
        &wrong,
        "what follows entry `two` is refused: corrupt gzip stream does not have a matching checksum",
    );
}

#[test]
fn bombs() {
    let zeros = vec![0; 100 << 20];
    check(&gzip(&Tar::new().file("bomb", &zeros).end()), "entry `bomb` is refused: a bomb: ");
    let name = Tar::new().file("good", b"").entry(
        EntryType::GNULongName,
        "././@LongLink",
        "",
        0o644,
        &zeros[..4 << 20],
    );
    check(
        &gzip(&name.end()),
        "what follows entry `good` is refused: its headers have more than 2097152 bytes",
    );
}

#[test]
fn a_recipe_sets_narrower_limits() {
    let place = Place::new();
    place.write("a.tar", &Tar::new().file("one", b"12345").file("two", b"12345").end());
    let check = |limits: &str, expected: &str| {
        let recipe = format!("about: x\narchive:\n  path: ../a.tar\n  limits: {limits}\n");
        place.write("images/recipe.yaml", recipe.as_bytes());
        let error = place.store.rootfs("recipe", place.path()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("{entries: 1}", "entry `two` is refused: a bomb: the image has more than 1 entries");
    check(
        "{bytes: 9}",
        "entry `two` is refused: a bomb: it claims 5 bytes, and the image has only 4 left of its limit",
    );
    check("{byte: 9}", "unknown field `byte`");
}

#[test]
fn what_is_no_entry_of_a_root_filesystem() {
    check(
        &Tar::new().entry(EntryType::new(b'V'), "label", "", 0, b"").end(),
        "entry `label` is refused: it is of the type 'V'",
    );
    check(&Tar::new().file("", b"x").end(), "entry `` is refused: it has no name");
    check(
        &Tar::new().file("f", b"x").file("f/x", b"x").end(),
        "entry `f/x` is refused: its way goes through f, which is not a folder",
    );
    let sparse = Tar::new().pax(&[("GNU.sparse.major", b"1")]).file("sparse", b"x");
    check(&sparse.end(), "entry `sparse` is refused: it is a sparse file in a PAX format");
    let mut damaged = Tar::new().file("one", b"").file("two", b"").end();
    damaged[512] ^= 1;
    check(&damaged, "what follows entry `one` is refused: archive header checksum mismatch");
    check(b"this is a text and no tar", "its first entry is refused: failed to read entire block");
    check(b"", "its first entry is refused: truncated: the tar has no end mark");
}

#[test]
fn what_is_neither_file_nor_folder() {
    let place = Place::new();
    let fifo = place.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let error = place.store.rootfs(fifo.to_str().unwrap(), place.path()).unwrap_err().to_string();
    assert!(error.ends_with("/fifo: it is neither a file nor a folder"), "{error}");
}
