//! A module whose callbacks trap on demand: the compiled filter as it is shipped, with a wrapper round some of its exports.
//!
//! The filter itself has no way to trap that a request could reach, and should have none for tests. A second filter that traps
//! would lose its own VM, not Bellhop's with all that it holds. So the bytes of the filter's functions stay as they are, and the
//! exports name new functions in front of them.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, ExportSection, Function, FunctionSection, Module, RawSection, ValType,
};
use wasmparser::{BinaryReaderError, ExternalKind, Parser, Payload, TypeRef};

/// A message with so many headers traps in its callback. Senders and upstreams have far fewer, and Envoy takes more.
pub const TRAPPING_HEADERS: u8 = 64;

/// The callbacks that trap. Their second argument is the number of headers.
const CALLBACKS: [&str; 2] = ["proxy_on_request_headers", "proxy_on_response_headers"];

/// Why a module cannot be wrapped.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// It is no module.
    #[error("the module cannot be read")]
    Read(#[from] BinaryReaderError),
    /// A part of it cannot be written again.
    #[error("the module cannot be written again: {0}")]
    Write(#[from] wasm_encoder::reencode::Error),
    /// A callback is missing, or has not the three numbers that the ABI gives it.
    #[error("the module exports no such callback: {0}")]
    NoCallback(&'static str),
}

/// What is known of a module before it is written again.
#[derive(Debug, Default)]
struct Outline {
    n_imported: u32,
    /// The type of each function of its own.
    types: Vec<u32>,
    /// Where each of them stands in the module.
    bodies: Vec<std::ops::Range<usize>>,
    /// The functions behind [`CALLBACKS`].
    callbacks: Vec<Option<u32>>,
}

impl Outline {
    fn read(module: &[u8]) -> Result<Self, WrapError> {
        let mut outline = Self { callbacks: vec![None; CALLBACKS.len()], ..Self::default() };
        for payload in Parser::new(0).parse_all(module) {
            // The other sections are copied without a look.
            if let Ok(Payload::ImportSection(section)) = &payload {
                for import in section.clone().into_imports() {
                    outline.n_imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            } else if let Ok(Payload::FunctionSection(section)) = &payload {
                outline.types = section.clone().into_iter().collect::<Result<_, _>>()?;
            } else if let Ok(Payload::ExportSection(section)) = &payload {
                for export in section.clone() {
                    let export = export?;
                    if let Some(which) = wrapped(export.name, export.kind) {
                        outline.callbacks[which] = Some(export.index);
                    }
                }
            } else if let Ok(Payload::CodeSectionEntry(body)) = &payload {
                outline.bodies.push(body.range());
            }
            payload?;
        }
        Ok(outline)
    }

    /// Each callback's function and its type, in the order of [`CALLBACKS`].
    fn callbacks(&self) -> Result<Vec<(u32, u32)>, WrapError> {
        let of = |(name, function): (&&'static str, &Option<u32>)| {
            let function = function.ok_or(WrapError::NoCallback(name))?;
            let own = function.checked_sub(self.n_imported).and_then(|it| usize::try_from(it).ok());
            let ty = own.and_then(|it| self.types.get(it)).ok_or(WrapError::NoCallback(name))?;
            Ok((function, *ty))
        };
        CALLBACKS.iter().zip(&self.callbacks).map(of).collect()
    }

    /// The number of the first function that is added.
    fn first_new(&self) -> u32 {
        self.n_imported + u32::try_from(self.types.len()).unwrap_or(u32::MAX)
    }
}

fn wrapped(name: &str, kind: ExternalKind) -> Option<usize> {
    CALLBACKS.iter().position(|it| *it == name && kind == ExternalKind::Func)
}

/// The module with a wrapper round each of its callbacks.
///
/// # Errors
/// When it is no filter.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, WrapError> {
    let outline = Outline::read(module)?;
    let callbacks = outline.callbacks()?;
    let mut written = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::FunctionSection(_) = &payload {
            let mut functions = FunctionSection::new();
            let added = callbacks.iter().map(|(_, ty)| *ty);
            outline.types.iter().copied().chain(added).for_each(|ty| {
                functions.function(ty);
            });
            written.section(&functions);
        } else if let Payload::ExportSection(section) = &payload {
            written.section(&exports(section, outline.first_new())?);
        } else if let Payload::CodeSectionStart { .. } = &payload {
            let mut code = CodeSection::new();
            for body in &outline.bodies {
                code.raw(&module[body.clone()]);
            }
            for (function, _) in &callbacks {
                code.function(&wrapper(*function));
            }
            written.section(&code);
        } else if let Some((id, range)) = payload.as_section() {
            written.section(&RawSection { id, data: &module[range] });
        }
    }
    Ok(written.finish())
}

fn exports(
    section: &wasmparser::ExportSectionReader<'_>,
    first_new: u32,
) -> Result<ExportSection, WrapError> {
    let mut exports = ExportSection::new();
    for export in section.clone() {
        let export = export?;
        let index = match wrapped(export.name, export.kind) {
            Some(which) => first_new + u32::try_from(which).unwrap_or_default(),
            None => export.index,
        };
        exports.export(export.name, RoundtripReencoder.export_kind(export.kind)?, index);
    }
    Ok(exports)
}

/// Traps when there are many headers; else does what the callback does.
fn wrapper(callback: u32) -> Function {
    let no_locals: [(u32, ValType); 0] = [];
    let mut function = Function::new(no_locals);
    let mut code = function.instructions();
    code.local_get(1).i32_const(TRAPPING_HEADERS.into()).i32_ge_s();
    code.if_(BlockType::Empty).unreachable().end();
    code.local_get(0).local_get(1).local_get(2).call(callback).end();
    function
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest module with an import, the callbacks, and another export.
    fn module() -> Vec<u8> {
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([ValType::I32; 3], [ValType::I32]);
        types.ty().function([], []);
        let mut imports = wasm_encoder::ImportSection::new();
        imports.import("env", "other", wasm_encoder::EntityType::Function(1));
        let mut functions = FunctionSection::new();
        functions.function(1).function(0);
        let mut exports = ExportSection::new();
        exports.export(CALLBACKS[1], wasm_encoder::ExportKind::Func, 2);
        exports.export("proxy_on_tick", wasm_encoder::ExportKind::Func, 1);
        exports.export(CALLBACKS[0], wasm_encoder::ExportKind::Func, 2);
        let mut code = CodeSection::new();
        let mut nothing = Function::new([]);
        nothing.instructions().end();
        let mut first = Function::new([]);
        first.instructions().local_get(0).end();
        code.function(&nothing).function(&first);
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
        module.finish()
    }

    #[test]
    fn callbacks_are_wrapped_and_everything_else_stays() {
        let module = module();
        let wrapped = wrap(&module).unwrap();
        let before = Outline::read(&module).unwrap();
        let after = Outline::read(&wrapped).unwrap();
        assert_eq!(before.callbacks, [Some(2), Some(2)]);
        assert_eq!(after.callbacks, [Some(3), Some(4)]);
        assert_eq!(after.types, [1, 0, 0, 0]);
        let bodies = |module: &[u8], outline: &Outline| {
            outline.bodies.iter().map(|it| module[it.clone()].to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(bodies(&wrapped, &after)[..2], bodies(&module, &before));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        assert!(matches!(wrap(b"no module"), Err(WrapError::Read(_))));
        let empty = Module::new().finish();
        assert!(matches!(wrap(&empty), Err(WrapError::NoCallback("proxy_on_request_headers"))));
    }
}
