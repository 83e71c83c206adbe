//! The scripts of the pages and of the npm package: their form, their types, and the package in Node. What the pages do is tested in a
//! browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::{build, npm, paths};

/// For scripts that a browser runs: `tsc` reads their types out of comments and out of what is called.
const PAGES: &str = r#"{
    "compilerOptions": {
        "allowJs": true, "checkJs": true, "noEmit": true, "types": [],
        "target": "esnext", "module": "esnext", "moduleResolution": "bundler", "lib": ["esnext", "dom", "dom.iterable"]
    },
    "files": ["main.js"]
}"#;
/// For whoever uses the package.
const STRICT: &str = r#"{
    "compilerOptions": {
        "strict": true, "noEmit": true, "types": [], "target": "es2022", "module": "nodenext", "lib": ["es2022", "dom"]
    },
    "files": ["types.ts"]
}"#;

#[test]
fn scripts_and_styles_have_the_form_that_prettier_gives_them() {
    let mut prettier = Command::new("node");
    prettier.arg(npm::folder().join("node_modules/prettier/bin/prettier.cjs")).arg("--check");
    prettier.arg("{directory,inspector,system-tests,testbed}/**/*.{css,js,mjs,ts}");
    succeeds(prettier.current_dir(paths::repository()));
}

#[test]
fn the_scripts_of_the_pages_keep_to_their_types() {
    build::inspector().unwrap();
    let inspector = Folder::copy("inspector", &paths::target().join("inspector/page"));
    // wasm-bindgen's own part is read for its types, and not judged.
    let bindings = inspector.0.join("inspector.js");
    let text = std::fs::read_to_string(&bindings).unwrap();
    std::fs::write(&bindings, format!("// @ts-nocheck\n{text}")).unwrap();
    inspector.keeps_to_its_types(PAGES);
    let console = Folder::copy("console", &paths::repository().join("directory/pages/console"));
    console.keeps_to_its_types(PAGES);
}

#[test]
fn the_npm_package_works_in_node_and_its_types_hold() {
    build::inspector().unwrap();
    let package = paths::target().join("inspector/npm");
    let sources = paths::repository().join("system-tests/tests/scripts");
    let mut node = Command::new("node");
    node.arg("--test").arg(sources.join("package.test.mjs")).env("PACKAGE", &package);
    succeeds(&mut node);
    let folder = Folder::copy("package", &sources);
    // The compiler looks for a package where Node would.
    std::fs::create_dir_all(folder.0.join("node_modules")).unwrap();
    std::os::unix::fs::symlink(&package, folder.0.join("node_modules/bellhop-inspector")).unwrap();
    folder.keeps_to_its_types(STRICT);
}

/// A folder of this process's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn copy(name: &str, from: &Path) -> Self {
        let folder = Self(paths::scratch().unwrap().join(format!("scripts-{name}-{}", std::process::id())));
        std::fs::create_dir_all(&folder.0).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.0.join(entry.file_name())).unwrap();
        }
        folder
    }

    fn keeps_to_its_types(&self, configuration: &str) {
        std::fs::write(self.0.join("tsconfig.json"), configuration).unwrap();
        let mut tsc = Command::new("node");
        tsc.arg(npm::folder().join("node_modules/typescript/lib/tsc.js"));
        succeeds(tsc.arg("--project").arg(&self.0));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left where it lies, it is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
}
