import type { ConfigInput, GroupInput } from './resolve/config-schema.ts';

/**
 * A group as the user writes it, for one that is put together apart from its configuration: `GroupOf<'a' | 'b'>` may name
 * the groups a and b.
 */
export type GroupOf<Name extends string = never> = Omit<GroupInput, 'dependsOn' | 'after'> & {
  /** Groups that must have ended well before this one runs. */
  dependsOn?: readonly (Name | DependencyOf<Name>)[] | undefined;
  /** Groups that only go first: they order and never block. */
  after?: readonly Name[] | undefined;
};

type DependencyOf<Name extends string> = Omit<
  Exclude<NonNullable<GroupInput['dependsOn']>[number], string>,
  'group'
> & {
  /** The group that goes first. */
  group: Name;
};

/** A configuration whose groups may only name each other. */
export type ConfigOf<Name extends string = string> = Omit<ConfigInput, 'groups'> & {
  /** The groups by name, in their order. */
  groups: { [Key in Name]: GroupOf<NoInfer<Name>> };
};

/**
 * Returns its argument unchanged. It is there for its type: an editor completes every key, and a name in `dependsOn` or
 * `after` that is not a key of `groups` does not compile.
 */
export function defineConfig<const Name extends string>(config: ConfigOf<Name>): ConfigOf<Name> {
  return config;
}
