//! A compiled filter: loaded once, shared by any number of simulators. It holds no state of a run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use wasmtime::{Config, Engine, ExternType, OptLevel};

use crate::error::Error;
use crate::host::Host;
use crate::{hostcalls, wasi};

/// The exports that say which ABI a module speaks.
const ABI_VERSIONS: [&str; 2] = ["proxy_abi_version_0_2_0", "proxy_abi_version_0_2_1"];

/// A compiled filter, ready to be instantiated cheaply. Cloning it shares the code.
#[derive(Clone)]
pub struct Module {
    pub(crate) engine: Engine,
    pub(crate) linked: wasmtime::InstancePre<Host>,
}

impl Module {
    /// Reads and compiles a `.wasm` file.
    ///
    /// # Errors
    /// If the file cannot be read, and as [`Module::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        Self::from_bytes(&bytes)
    }

    /// Compiles a module and checks what it imports and exports, as Envoy does at load.
    ///
    /// # Errors
    /// If it is not a module, imports what Envoy does not offer, or lacks an ABI version or an allocator.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let engine = Self::engine()?;
        let module = wasmtime::Module::new(&engine, bytes).map_err(Error::Compile)?;
        Self::link(engine, &module)
    }

    /// Like [`Module::load`], but keeps the machine code in `folder`, so that the next process need not compile
    /// the same module again. A file there that wasmtime does not recognise is replaced.
    ///
    /// The machine code is run as it stands: `folder` must be one that only this project writes, such as
    /// cargo's target directory.
    ///
    /// # Errors
    /// As [`Module::load`]. That the folder cannot be written is not an error: nothing is kept then.
    pub fn load_cached(path: impl AsRef<Path>, folder: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        let engine = Self::engine()?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let folder = folder.as_ref();
        let kept = folder.join(format!("{:016x}.cwasm", hasher.finish()));
        #[allow(unsafe_code, reason = "the caller vouches for what is kept in the folder")]
        // SAFETY: the file was written below from a module that was compiled; wasmtime checks version and settings.
        let found = unsafe { wasmtime::Module::deserialize_file(&engine, &kept) };
        let module = match found {
            Ok(module) => module,
            Err(_) => {
                let module = wasmtime::Module::new(&engine, &bytes).map_err(Error::Compile)?;
                keep(&module, folder, &kept);
                module
            }
        };
        Self::link(engine, &module)
    }

    fn engine() -> Result<Engine, Error> {
        let mut config = Config::new();
        // Compiling quickly matters more to a test than running quickly; fuel is the same.
        config.consume_fuel(true).cranelift_opt_level(OptLevel::None);
        Engine::new(&config).map_err(Error::Compile)
    }

    /// Checks the exports and resolves the imports.
    fn link(engine: Engine, module: &wasmtime::Module) -> Result<Self, Error> {
        let has = |name: &str| matches!(module.get_export(name), Some(ExternType::Func(_)));
        if !ABI_VERSIONS.iter().any(|name| has(name)) {
            return Err(Error::UnknownAbi);
        }
        if !has("malloc") && !has("proxy_on_memory_allocate") {
            return Err(Error::MissingExport("proxy_on_memory_allocate"));
        }
        let mut linker = wasmtime::Linker::new(&engine);
        hostcalls::link(&mut linker).map_err(Error::Instantiate)?;
        wasi::link(&mut linker).map_err(Error::Instantiate)?;
        let linked = linker.instantiate_pre(module).map_err(|error| {
            match error.downcast_ref::<wasmtime::UnknownImportError>() {
                Some(unknown) => Error::UnknownImport {
                    module: unknown.module().to_owned(),
                    name: unknown.name().to_owned(),
                },
                None => Error::Instantiate(error),
            }
        })?;
        Ok(Self { engine, linked })
    }
}

/// Writes beside the place and renames, so that no other process reads half a file.
fn keep(module: &wasmtime::Module, folder: &Path, place: &Path) {
    let Ok(code) = module.serialize() else { return };
    let beside = place.with_extension(format!("{}.part", std::process::id()));
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&beside, code))
        .and_then(|()| std::fs::rename(&beside, place));
    if written.is_err() {
        // A full or read-only disk costs time, not the test.
        let _ = std::fs::remove_file(&beside);
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").finish_non_exhaustive()
    }
}
