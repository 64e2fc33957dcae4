# An operation belongs to one runner: one that comes late does nothing.
$o = Alone {
  $id = ([IO.File]::ReadAllText((Join-Path $base 'next'))).Trim()
  $next = Read (Join-Path $folder ($id + '.json'))
  if ($next.state -eq 'running' -and ($next.pid -le 0 -or $next.pid -eq $PID)) {
    $next.pid = $PID
    Save $next (Join-Path $folder ($id + '.json'))
    $next
  }
}
if (-not $o) { exit }
$file = Join-Path $folder ($o.id + '.json')
$w = $o.work
function Finish($state, $code, $detail, $restart) {
  $o.state = $state; $o.code = [int]$code; $o.detail = [string]$detail; $o.restart = [bool]$restart
}
function Ended($code) {
  if (0, 3010, 1641 -contains $code) { Finish 'done' $code '' ($code -ne 0) }
  else { Finish 'failed' $code 'the installer failed' $false }
}
function Cisco { Get-Service -DisplayName 'Cisco*' | Where-Object { $_.StartType -eq 'Automatic' } }
try {
  switch ($w.kind) {
    { 'patch', 'install' -contains $_ } {
      $path = Join-Path $base ('files\' + $w.file.name)
      if ($path -like '*.msi') { $p = Start-Process msiexec.exe -ArgumentList @('/i', ('"' + $path + '"'), '/qn', '/norestart') -Wait -PassThru }
      elseif ($path -like '*.msp') { $p = Start-Process msiexec.exe -ArgumentList @('/p', ('"' + $path + '"'), '/qn', '/norestart') -Wait -PassThru }
      else { $p = Start-Process $path -ArgumentList @('/s', '/v"/qn REBOOT=ReallySuppress"') -Wait -PassThru }
      Ended $p.ExitCode
    }
    { 'unpatch', 'back' -contains $_ } {
      $keys = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\*',
        'HKLM:\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\*'
      $found = Get-ItemProperty $keys -ErrorAction SilentlyContinue |
        Where-Object { $_.Publisher -like 'Cisco*' -and $_.DisplayName -eq $w.name } | Select-Object -First 1
      if (-not $found) { Finish 'failed' 1605 'it is not installed' $false; break }
      $p = Start-Process msiexec.exe -ArgumentList @('/x', $found.PSChildName, '/qn', '/norestart') -Wait -PassThru
      Ended $p.ExitCode
    }
    'updates' {
      $session = New-Object -ComObject Microsoft.Update.Session
      $found = $session.CreateUpdateSearcher().Search("IsInstalled=0 and IsHidden=0")
      if ($found.Updates.Count -eq 0) { Finish 'done' 0 'no update is available' $false; break }
      foreach ($u in $found.Updates) { if (-not $u.EulaAccepted) { $u.AcceptEula() } }
      $get = $session.CreateUpdateDownloader(); $get.Updates = $found.Updates; [void]$get.Download()
      $set = $session.CreateUpdateInstaller(); $set.Updates = $found.Updates; $r = $set.Install()
      if ($r.ResultCode -gt 3) { Finish 'failed' $r.ResultCode 'Windows Update failed' $false }
      else { Finish 'done' 0 ([string]$found.Updates.Count + ' updates') $r.RebootRequired }
    }
    'remove-update' {
      $kb = $w.kb -replace '[^0-9]', ''
      $p = Start-Process wusa.exe -ArgumentList @('/uninstall', "/kb:$kb", '/quiet', '/norestart') -Wait -PassThru
      Ended $p.ExitCode
    }
    'services' { Cisco | Where-Object { $_.Status -ne 'Running' } | Start-Service; Finish 'done' 0 '' $false }
    'enter' {
      Set-Content -LiteralPath (Join-Path $base 'maintenance') -Value ([string]$w.reason)
      Cisco | Stop-Service -Force; Finish 'done' 0 '' $false
    }
    'leave' {
      Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath (Join-Path $base 'maintenance')
      Cisco | Start-Service; Finish 'done' 0 '' $false
    }
    'restart' {
      if ($w.boot -and $w.boot -ne $boot) { Finish 'done' 0 '' $false; break }
      Restart-Computer -Force
      Start-Sleep -Seconds 1800
      Finish 'failed' 1 'the machine did not restart' $false
    }
    default { Finish 'failed' 1 'the operation is unknown' $false }
  }
} catch { Finish 'failed' 1 $_.Exception.Message $false }
for ($turn = 1; $turn -le 20; $turn++) {
  try { Alone { Save $o $file }; break } catch { Start-Sleep -Seconds 3 }
}
