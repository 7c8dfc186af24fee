/// A program asks once which instructions there are and goes on using them after the move, so a
/// live move needs all of the source's on the target.
struct ProcessorCheck: Check {
    let name = "processor"

    func findings(in comparison: Comparison) -> [Finding] {
        guard comparison.isLive,
            comparison.source.architecture == comparison.target.architecture
        else { return [] }
        let needed = instructions(of: comparison.source)
        let missing = needed.subtracting(comparison.target.processorFeatures)
        guard !missing.isEmpty else { return [] }
        return [
            Finding(
                name,
                cause:
                    "the target's processor lacks \(listed(missing)), which the instance may use",
                cure: "choose a target with these instructions, or move with --cold"
            )
        ]
    }

    /// On x86 the kernel lists its own workarounds and the processor's manners under `flags` too;
    /// on other architectures every name is an instruction set.
    private func instructions(of host: HostFacts) -> Set<String> {
        guard host.architecture == "x86_64" else { return host.processorFeatures }
        return host.processorFeatures.filter { feature in
            x86Instructions.contains(feature) || x86Families.contains { feature.hasPrefix($0) }
        }
    }
}

/// Names of arch/x86/include/asm/cpufeatures.h whose instructions work outside the kernel.
private let x86Instructions: Set<String> = [
    "fpu", "tsc", "cx8", "cmov", "clflush", "mmx", "mmxext", "fxsr", "fxsr_opt", "sse", "sse2",
    "pni", "ssse3", "sse4_1", "sse4_2", "sse4a", "cx16", "lahf_lm", "popcnt", "movbe", "aes",
    "pclmulqdq", "xsave", "xsaveopt", "xsavec", "xsaves", "xgetbv1", "f16c", "fma", "fma4", "xop",
    "tbm", "lwp", "rdrand", "rdseed", "bmi1", "bmi2", "abm", "adx", "fsgsbase", "rdtscp", "rdpid",
    "erms", "fsrm", "fzrm", "fsrs", "fsrc", "hle", "rtm", "tsxldtrk", "3dnow", "3dnowext",
    "3dnowprefetch", "misalignsse", "sha_ni", "sha512", "sm3", "sm4", "vaes", "vpclmulqdq", "gfni",
    "clflushopt", "clwb", "clzero", "cldemote", "movdiri", "movdir64b", "serialize", "waitpkg",
    "monitorx", "rdpru", "ptwrite", "enqcmd", "pku", "ospke", "user_shstk", "wbnoinvd",
]

private let x86Families = ["avx", "amx_"]
