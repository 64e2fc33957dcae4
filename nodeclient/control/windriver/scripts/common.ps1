param($q)
$ErrorActionPreference = 'Stop'
$base = Join-Path $env:ProgramData 'ConnectHub\Orchestration'
$folder = Join-Path $base 'operations'

# One at a time: the requests of two control nodes, and what runs. Who died holding it leaves whole files.
function Alone($do) {
  $lock = New-Object Threading.Mutex($false, 'Global\ConnectHubOrchestration')
  $mine = $false
  try {
    try { $mine = $lock.WaitOne(30000) } catch [Threading.AbandonedMutexException] { $mine = $true }
    if (-not $mine) { throw 'another request does not end' }
    & $do
  } finally {
    if ($mine) { $lock.ReleaseMutex() }
    $lock.Dispose()
  }
}

# Whoever scans files holds them for moments.
function Patiently($do) {
  for ($turn = 1; ; $turn++) {
    try { return (& $do) } catch { if ($turn -ge 20) { throw } }
    Start-Sleep -Milliseconds 250
  }
}

function Save($o, $file) {
  $bytes = [Text.Encoding]::UTF8.GetBytes(($o | ConvertTo-Json -Depth 6 -Compress))
  Patiently {
    $part = [IO.File]::Create($file + '.part')
    try { $part.Write($bytes, 0, $bytes.Length); $part.Flush($true) } finally { $part.Close() }
    if (Test-Path -LiteralPath $file) { [IO.File]::Replace($file + '.part', $file, [NullString]::Value) }
    else { [IO.File]::Move($file + '.part', $file) }
  } | Out-Null
}

# A volatile key is gone with the boot that it was made in, whatever is done to the clock.
function Boot {
  $key = [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey('SOFTWARE\ConnectHubBoot',
    [Microsoft.Win32.RegistryKeyPermissionCheck]::Default, [Microsoft.Win32.RegistryOptions]::Volatile)
  if (-not $key.GetValue('id')) { $key.SetValue('id', [guid]::NewGuid().ToString()) }
  [string]$key.GetValue('id')
  $key.Close()
}

# Process ids are used again: what runs there must be the runner.
function Lives($o) {
  if ($o.pid -le 0) { return $false }
  $p = Get-CimInstance Win32_Process -Filter ('ProcessId = ' + [int]$o.pid)
  [bool]($p -and (-not $p.CommandLine -or $p.CommandLine -like '*\ConnectHub\Orchestration\run.ps1*'))
}

function Read($file) {
  $text = Patiently { [IO.File]::ReadAllText($file) }
  $o = $null
  try { $o = $text | ConvertFrom-Json } catch { $o = $null }
  if (-not $o.id) {
    $o = [pscustomobject]@{ id = [IO.Path]::GetFileNameWithoutExtension($file); state = 'lost'; code = 0
      detail = ''; restart = $false; work = $null; boot = ''; pid = 0; n = 0 }
    Save $o $file
  }
  $o
}

# How an operation stands. One that has lost its boot or its runner comes to no end of its own; a restart
# is done when the boot is another one.
function Look($file) {
  $o = Read $file
  if ($o.state -eq 'running' -and ($o.boot -ne $boot -or -not (Lives $o))) {
    if ($o.boot -ne $boot -and $o.work.kind -eq 'restart') { $o.state = 'done' } else { $o.state = 'lost' }
    Save $o $file
  }
  $o
}

# What runs from here runs as an administrator: nobody else may write here.
if (-not (Test-Path -LiteralPath $base)) {
  New-Item -ItemType Directory -Force -Path $base | Out-Null
  icacls.exe $base /inheritance:r /grant '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' | Out-Null
  if ($LASTEXITCODE -ne 0) { throw 'the folder cannot be closed to others' }
}
New-Item -ItemType Directory -Force -Path $folder | Out-Null
$boot = Alone { Boot }
