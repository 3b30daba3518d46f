export type Shell = 'bash' | 'zsh' | 'fish' | 'powershell';

/** Printed instead of candidates where the shell has to complete a path. */
export const pathMarker = ':paths';

/** The script that teaches a shell to complete rhythm's words; it asks rhythm itself each time. */
export function completionScript(shell: Shell): string {
  switch (shell) {
    case 'bash':
      return bash;
    case 'zsh':
      return zsh;
    case 'fish':
      return fish;
    case 'powershell':
      return powershell;
  }
}

const bash = `# rhythm's words for bash. In ~/.bashrc: eval "$(rhythm completion bash)"
_rhythm() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = '${pathMarker}' ]; then
      compopt -o default 2>/dev/null
      return
    fi
    COMPREPLY+=("$(printf '%q' "\${line%%$'\\t'*}")")
  done < <(rhythm __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
}
complete -F _rhythm rhythm
`;

const zsh = `#compdef rhythm
# rhythm's words for zsh. In ~/.zshrc, after compinit: eval "$(rhythm completion zsh)"
_rhythm() {
  local line value
  local -a found
  while IFS= read -r line; do
    if [[ $line == '${pathMarker}' ]]; then
      _files
      return
    fi
    value=\${line%%$'\\t'*}
    if [[ $line == *$'\\t'* ]]; then
      found+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
    else
      found+=("\${value//:/\\\\:}")
    fi
  done < <(rhythm __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)
  _describe rhythm found
}
if [[ \${funcstack[1]} == _rhythm ]]; then
  _rhythm "$@"
else
  compdef _rhythm rhythm
fi
`;

const fish = `# rhythm's words for fish. In ~/.config/fish/completions/rhythm.fish: rhythm completion fish | source
function __rhythm_words
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  test (count $current) -eq 0; and set current ''
  for line in (rhythm __complete -- $before[2..-1] $current 2>/dev/null </dev/null)
    if test "$line" = '${pathMarker}'
      __fish_complete_path $current
    else
      echo $line
    end
  end
end
complete -c rhythm -f -a '(__rhythm_words)'
`;

const powershell = `# rhythm's words for PowerShell. In $PROFILE: rhythm completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName rhythm -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
    ForEach-Object { $_.Extent.Text.Trim('"', "'") })
  # An empty argument would not arrive.
  $options = @(if ($wordToComplete -eq '') { '--new-word' })
  & rhythm __complete @options '--' @words 2>$null | Where-Object { $_ -ne '${pathMarker}' } | ForEach-Object {
    $word, $about = $_ -split "\`t", 2
    if (-not $about) { $about = $word }
    $text = if ($word -match '[^\\w./:@%+=-]') { "'" + $word.Replace("'", "''") + "'" } else { $word }
    [System.Management.Automation.CompletionResult]::new($text, $word, 'ParameterValue', $about)
  }
}
`;
