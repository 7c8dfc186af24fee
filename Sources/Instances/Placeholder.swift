enum InstancesPlaceholder {}
