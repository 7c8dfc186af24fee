enum LinuxHostPlaceholder {}
